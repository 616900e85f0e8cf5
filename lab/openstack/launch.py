"""Run a Nova daemon by hand: launch.py compute --config-file ... (Debian's python3-nova ships no nova-* programs)."""

import importlib
import os
import sys

what = sys.argv.pop(1)
main = importlib.import_module("nova.cmd." + what).main
if what == "compute":
    # Nova loads drivers from nova.virt.* only, so this folder becomes a part of that package.
    import nova.virt

    nova.virt.__path__.append(os.path.dirname(os.path.abspath(__file__)))
sys.argv[0] = "nova-" + what
sys.exit(main())
