"""Put the results of ``speed.py`` into a Markdown file, between ``<!-- speed:begin -->`` and ``<!-- speed:end -->``.

python benchmarks/report.py README.md
python benchmarks/report.py benchmarks/avx512.md benchmarks/speed_avx512.json

Where results have another name, so have the marks.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pmhc_distil.evaluation.markdown import insert


def to_markdown(facts: dict[str, Any]) -> str:
    """Lay the results out as two tables: the tasks as ratios, and all else."""
    peer, plain = facts.get("mhcflurry", {}), facts["reference"]["pairs_per_s"]
    head = "| task, from file to file | pairs per second | without start | times plain model | times MHCflurry |"
    lines = [head, "|---|---|---|---|---|"]
    for number, work in enumerate(facts["works"]):
        rate = work["pairs"] / (work["seconds"] - facts["start"]["predict_s"])
        other = peer.get("six" if number else "one", {}).get("pairs_per_s")
        times = f"{rate / other:,.0f}" if other else ""
        whole = work["pairs"] / work["seconds"]
        lines.append(f"| {work['name']} | {whole:,.0f} | {rate:,.0f} | {rate / plain:,.0f} | {times} |")
    lines += ["", "| measure | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in measures(facts))])


def measures(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Give what is not a task: name and value."""
    machine, start = facts["machine"], facts["start"]
    changed, apart = facts["classes"], facts["reference"]["largest_difference"]
    found = [("processor", f"{machine['processor']}, {machine['threads']} threads")]
    for name in ("half", "single"):
        encoder, matrix = facts["encoder"][name], machine["matrix_gflops"][name]
        speed = f"{encoder['pairs_per_s']:,.0f} pairs per second"
        share = f"{encoder['share']:.0%} of the speed of large matrix products ({matrix:,.0f} GFLOP/s)"
        found.append((f"encoder alone, 9-mers, {name} precision", f"{speed}, {share}"))
    found += [
        ("plain model: ours in transformers, padded", f"{facts['reference']['pairs_per_s']:,.0f} pairs per second"),
        (
            "cold start: 10 peptides, 1 allele",
            f"{start['predict_s']:.2f} s; `import torch` alone {start['import_torch_s']:.2f} s",
        ),
    ]
    for count, value in facts["memory"].items():
        found.append((f"largest memory, {int(count):,} peptides, 6 alleles", f"{value:,.0f} MiB"))
    if size := facts.get("installed"):
        disk = (f"{size[name]:,.0f} MiB" for name in ("package_mib", "for_prediction_mib", "all_mib"))
        found.append(("on disk: package; with what prediction imports; with all", "; ".join(disk)))
    changes = f"{changed['changed']} of {changed['pairs']:,}"
    found += [
        (
            "largest difference of a logit from the plain model, half; single",
            f"{apart['half']:.3f}; {apart['single']:.0e}",
        ),
        ("binder classes that half precision changes", changes),
        ("the same without the second look at rows near a limit", f"{changed['changed_without_second_look']}"),
    ]
    if stage := facts.get("first_stage"):
        found.append(("binders that the first stage of a scan loses", f"{stage['lost']} of {stage['binders']:,}"))
    for name, rate in facts.get("training", {}).items():
        found.append((f"`{name}` of the shipped teacher, batches of 512", f"{rate:,.0f} pairs per second"))
    if peer := facts.get("mhcflurry"):
        one, six = peer["one"], peer["six"]
        rates = f"{one['pairs_per_s']:,.0f} and {six['pairs_per_s']:,.0f} pairs per second"
        start = f"start {six['import_s'] + six['load_s']:.1f} s, memory {six['peak_mib']:,.0f} MiB"
        found.append((f"MHCflurry {one['version']}, 1 and 6 alleles, start not counted", f"{rates}; {start}"))
    return found


def main() -> None:
    """Rewrite the file given."""
    document = Path(sys.argv[1])
    results = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "speed.json"
    made = to_markdown(json.loads(results.read_text(encoding="utf-8")))
    text = insert(document.read_text(encoding="utf-8"), made, results.stem, str(document))
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
