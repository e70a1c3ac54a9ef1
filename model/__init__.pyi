from .boxes import Box as Box
from .errors import (
    InputError as InputError,
    RunError as RunError,
    StackwallsError as StackwallsError,
    quotable as quotable,
    reason_of as reason_of,
    without_tokens as without_tokens,
)
from .files import (
    check_output_folder as check_output_folder,
    disk_errors as disk_errors,
    file_sha256 as file_sha256,
    model_revision as model_revision,
    whole_file as whole_file,
    write_whole as write_whole,
)
from .hub.failures import (
    LOG_IN as LOG_IN,
    commit_of as commit_of,
    first_line as first_line,
    hub_answers as hub_answers,
    hub_failures as hub_failures,
    no_remote_code as no_remote_code,
    quiet_client as quiet_client,
    retried as retried,
    status_of as status_of,
)
from .hub.ids import HubId as HubId, is_hub_url as is_hub_url
from .images import (
    NUM_ANIMALS as NUM_ANIMALS,
    ImageNetClass as ImageNetClass,
    LabelChoice as LabelChoice,
    LabelSpace as LabelSpace,
    animals as animals,
    class_names as class_names,
    find_class as find_class,
    imagenet as imagenet,
    imagenet_classes as imagenet_classes,
    parse_class as parse_class,
    parse_classes as parse_classes,
    parse_label_space as parse_label_space,
)
from .imports import (
    did_you_mean as did_you_mean,
    import_object as import_object,
    is_import_spec as is_import_spec,
    model_from as model_from,
)
from .networks import (
    CONFIG_NAME as CONFIG_NAME,
    LAST as LAST,
    MAP_SIZE as MAP_SIZE,
    MINIATURES as MINIATURES,
    MODELS as MODELS,
    VISIBLE_ROWS as VISIBLE_ROWS,
    WALL_KINDS as WALL_KINDS,
    WALL_KINDS_IN_WORDS as WALL_KINDS_IN_WORDS,
    WALLED_PREFIX as WALLED_PREFIX,
    WEIGHTS_NAME as WEIGHTS_NAME,
    Attended as Attended,
    Backbone as Backbone,
    BlindModel as BlindModel,
    Certificate as Certificate,
    Check as Check,
    ClassTexts as ClassTexts,
    Curtain as Curtain,
    Layer as Layer,
    LayeredModel as LayeredModel,
    MaskedVGG16 as MaskedVGG16,
    Network as Network,
    NotBlindError as NotBlindError,
    Pretrained as Pretrained,
    PretrainedFiles as PretrainedFiles,
    Walled as Walled,
    WalledNetwork as WalledNetwork,
    WalledTransformer as WalledTransformer,
    WallKind as WallKind,
    asked_wall as asked_wall,
    certify as certify,
    check_usable as check_usable,
    class_texts as class_texts,
    derive_wall as derive_wall,
    explained_at as explained_at,
    find_network as find_network,
    find_pretrained as find_pretrained,
    implied_wall_kind as implied_wall_kind,
    is_hub_id as is_hub_id,
    is_walled as is_walled,
    layer_name as layer_name,
    load_authors_checkpoint as load_authors_checkpoint,
    load_backbone as load_backbone,
    load_checkpoint as load_checkpoint,
    load_model as load_model,
    load_model_file as load_model_file,
    map_size as map_size,
    pixels_reached as pixels_reached,
    require_certificate as require_certificate,
    save_model as save_model,
    shown_name as shown_name,
    split_classifier as split_classifier,
    unwalled as unwalled,
    wall_kind_of as wall_kind_of,
    walled as walled,
)
from .preprocessing import (
    IMAGENET_MEAN as IMAGENET_MEAN,
    IMAGENET_STD as IMAGENET_STD,
    RESIZE as RESIZE,
    USUAL_TRANSFORM as USUAL_TRANSFORM,
    Transform as Transform,
    to_input as to_input,
)
from .runtime.cluster import Cluster as Cluster
from .runtime.device import (
    find_device as find_device,
    is_out_of_memory as is_out_of_memory,
    memory_errors as memory_errors,
    placed as placed,
)
from .runtime.foreign import contained as contained, no_exit as no_exit
from .runtime.launcher import Launch as Launch
from .runtime.parallel import parallel_map as parallel_map
from .runtime.worker_pool import Failure as Failure
from .sampling import check_seed as check_seed, class_order as class_order, drawing_rank as drawing_rank
from .state import (
    KeptState as KeptState,
    exact_arithmetic as exact_arithmetic,
    local_arithmetic as local_arithmetic,
    preserved as preserved,
)
from .wall import (
    IMAGE_SIZE as IMAGE_SIZE,
    VGG16_WALL as VGG16_WALL,
    Band as Band,
    Wall as Wall,
    usual_wall as usual_wall,
)
