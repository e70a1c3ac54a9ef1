from .nouns import Noun, noun_of
from .prompt import PLACEHOLDER, Prompt, check_template, prompt_for
from .sentences import TEMPLATES, Template

__all__ = ["PLACEHOLDER", "TEMPLATES", "Noun", "Prompt", "Template", "check_template", "noun_of", "prompt_for"]
