from .scene import (
    Scene as Scene,
    draw as draw,
    draw_scene as draw_scene,
    drawn_classes as drawn_classes,
    portrait as portrait,
)
from .sheet import contact_sheet as contact_sheet
