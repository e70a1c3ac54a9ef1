"""`python -m stackwalls.stackgen`, for launchers that start a module: torchrun, accelerate launch, srun."""

import sys

from stackwalls.stackgen.cli import main

sys.exit(main())
