from .carrying_out import Published, publish
from .hub_failures import Patience
from .listing import describe_plan, plan_record
from .publication import Plan, PublishSpec, plan_publication
from .publishable import PublishableFolder, read_publishable

__all__ = [
    "Patience",
    "Plan",
    "PublishSpec",
    "PublishableFolder",
    "Published",
    "describe_plan",
    "plan_publication",
    "plan_record",
    "publish",
    "read_publishable",
]
