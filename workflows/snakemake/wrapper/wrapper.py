"""Predict which peptides HLA class I molecules present, with pmhc-distil."""

from snakemake.shell import shell

log = snakemake.log_fmt_shell(stdout=True, stderr=True)  # noqa: F821
hla = snakemake.params.get("hla", [])  # noqa: F821
alleles = ["--hla", ",".join([hla] if isinstance(hla, str) else hla)] if hla else []
extra = snakemake.params.get("extra", "")  # noqa: F821

shell(
    "pmhc-distil predict {snakemake.input[0]:q} {alleles:q} {extra}"
    " --threads {snakemake.threads} -o {snakemake.output[0]:q} {log}"
)
