"""Reads llvm-cov's JSON summary on stdin; prints lines and regions covered of each module under a folder of sources."""
import collections
import json
import pathlib
import sys

sources, target = pathlib.Path(sys.argv[1]), sys.argv[2]
modules = collections.defaultdict(lambda: [0, 0, 0, 0])
for file in json.load(sys.stdin)["data"][0]["files"]:
    path = pathlib.Path(file["filename"])
    if sources not in path.parents:
        continue
    module = path.relative_to(sources).parts[0]
    for entry in (modules[module], modules["all"]):
        for place, kind in ((0, "lines"), (2, "regions")):
            entry[place] += file["summary"][kind]["covered"]
            entry[place + 1] += file["summary"][kind]["count"]
print(f"{target:26}{'lines':>16}{'':>9}{'regions':>16}")
for module, (lines, all_lines, regions, all_regions) in sorted(modules.items(), key=lambda item: (item[0] == "all", item[0])):
    print(f"{module:26}{lines:>8} of {all_lines:<6}{100 * lines / max(1, all_lines):>6.1f} %{regions:>8} of {all_regions:<6}"
          f"{100 * regions / max(1, all_regions):>6.1f} %")
