from .scene import Scene, draw, draw_scene, drawn_classes, portrait
from .sheet import contact_sheet

__all__ = ["Scene", "contact_sheet", "draw", "draw_scene", "drawn_classes", "portrait"]
