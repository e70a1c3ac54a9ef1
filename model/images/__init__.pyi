from .decoding import BrokenImageError as BrokenImageError, decode as decode, decode_and_crop as decode_and_crop
from .in_memory import MapStyle as MapStyle
from .label_space import (
    LabelChoice as LabelChoice,
    LabelSpace as LabelSpace,
    imagenet as imagenet,
    parse_label_space as parse_label_space,
)
from .labeled import ImageRow as ImageRow, LabeledImages as LabeledImages
from .labels import (
    NUM_ANIMALS as NUM_ANIMALS,
    ImageNetClass as ImageNetClass,
    animals as animals,
    class_names as class_names,
    class_of as class_of,
    find_class as find_class,
    imagenet_classes as imagenet_classes,
    parse_class as parse_class,
    parse_classes as parse_classes,
)
from .opening import open_images as open_images
