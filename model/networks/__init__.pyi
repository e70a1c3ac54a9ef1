from .attention.walled_transformer import Attended as Attended, WalledTransformer as WalledTransformer
from .backbones.backbone import (
    Backbone as Backbone,
    split_classifier as split_classifier,
)
from .backbones.names import load_backbone as load_backbone
from .backbones.own_networks import load_checkpoint as load_checkpoint
from .backbones.zero_shot import ClassTexts as ClassTexts, class_texts as class_texts
from .behind_a_wall import walled as walled
from .blind_model import (
    WALL_KINDS as WALL_KINDS,
    WALL_KINDS_IN_WORDS as WALL_KINDS_IN_WORDS,
    BlindModel as BlindModel,
    WallKind as WallKind,
    implied_wall_kind as implied_wall_kind,
    wall_kind_of as wall_kind_of,
)
from .curtain import Curtain as Curtain, unwalled as unwalled
from .files.checkpoints import (
    load_authors_checkpoint as load_authors_checkpoint,
    load_model_file as load_model_file,
    save_model as save_model,
)
from .files.pretrained import (
    CONFIG_NAME as CONFIG_NAME,
    WEIGHTS_NAME as WEIGHTS_NAME,
    Pretrained as Pretrained,
    PretrainedFiles as PretrainedFiles,
    find_pretrained as find_pretrained,
    is_hub_id as is_hub_id,
)
from .files.weights import check_usable as check_usable
from .geometry.receptive_field import derive_wall as derive_wall, map_size as map_size, pixels_reached as pixels_reached
from .layered_model import (
    LAST as LAST,
    Layer as Layer,
    LayeredModel as LayeredModel,
    explained_at as explained_at,
    layer_name as layer_name,
    shown_name as shown_name,
)
from .masked_vgg import MAP_SIZE as MAP_SIZE, VISIBLE_ROWS as VISIBLE_ROWS, MaskedVGG16 as MaskedVGG16
from .proof.certificate import Certificate as Certificate, Check as Check, NotBlindError as NotBlindError
from .proof.checks import certify as certify, require_certificate as require_certificate
from .registry import (
    MINIATURES as MINIATURES,
    MODELS as MODELS,
    WALLED_PREFIX as WALLED_PREFIX,
    Network as Network,
    asked_wall as asked_wall,
    find_network as find_network,
    is_walled as is_walled,
    load_model as load_model,
)
from .walled_model import Walled as Walled
from .walled_network import WalledNetwork as WalledNetwork
