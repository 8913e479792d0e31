"""The report, read as its readers do: in a browser, on a telephone, offline."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from pmhc_distil import Predictor
from pmhc_distil.analysis.report import binders_per_allele, report_of
from pmhc_distil.analysis.report_tables import SHOWN_PEPTIDES, flags, heat_map
from pmhc_distil.sequences.readers import read_peptides

EXAMPLES = Path(__file__).parents[2] / "data/examples"
ALLELES = ["A*02:01", "A*24:02", "B*07:02", "F*01:01"]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium to look at the page with")


@pytest.fixture(scope="module")
def predictor():
    return Predictor(threads=1, windows=300)


@pytest.fixture(scope="module")
def peptides():
    table = read_peptides(str(EXAMPLES / "peptides.fasta")).frame.drop(columns="note")
    odd = pd.DataFrame({"peptide": ["SLYNT", "SLLMWITQU"], "name": ["<b>short</b>", "odd"]})
    return pd.concat([table, odd], ignore_index=True)


@pytest.fixture(scope="module")
def page(predictor, peptides):
    return report_of(predictor, peptides, ALLELES, title="Epitopes & more")


def shown(path, script=""):
    """Give the document as the browser has it once its scripts have run."""
    if script:
        text = path.read_text(encoding="utf-8")
        path = path.with_name("scripted.html")
        path.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_tells_what_was_predicted(page, predictor, peptides):
    """Numbers of other rows, rows that vanish, a model that nobody can name afterwards."""
    found = predictor.predict(peptides, ALLELES)
    counts = binders_per_allele(found).set_index("allele")
    for allele, own in found[found["rank"].notna()].groupby("allele"):
        assert counts.loc[allele, "strong"] == (own["binder"] == "SB").sum()
        assert counts.loc[allele, "peptides"] == 15
    assert predictor.weights[:12] in page and "Epitopes &amp; more" in page
    assert "&lt;b&gt;" not in page.split("<h2>What to mind")[0], "a row without a score is none of the best"
    assert "length 5 is outside 8-15" in page and "rows without a score</dt><dd>8<" in page
    assert "far from the training data" in page
    assert page.count("<svg") == 1 + len(ALLELES)
    best = found.sort_values("rank", kind="stable").iloc[0]
    first = re.search(r"Best predictions.*?<tbody><tr>(.*?)</tr>", page, re.S)[1]
    cells = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", first)]
    assert cells[:3] == [best["peptide"], best["allele"], best["binder"]]


def test_the_page_needs_nothing_else(page, predictor, peptides):
    """A page that fetches, and so tells others what is looked at, or that changes from run to run."""
    assert not re.search(r"""(?:src|href)\s*=\s*(?:"(?!#)|'(?!#)|\w)|@import|url\((?!#)|fetch\(""", page)
    assert page == report_of(predictor, peptides, ALLELES, title="Epitopes & more")


def test_many_peptides_are_cut_and_told(predictor, proteins):
    """A page of a whole proteome that no browser opens, or that hides that it was cut."""
    windows = [text[at : at + 9] for text in proteins for at in range(len(text) - 8)]
    page = report_of(predictor, windows[:700], ["A0201"])
    assert f"The best {SHOWN_PEPTIDES} of 700 peptides" in page and "The 500 best of 700 rows" in page


def test_peptides_are_counted_once(predictor):
    """A peptide of three proteins that counts as three binders."""
    counts = binders_per_allele(predictor.predict(["GILGFVFTL", "gilgfvftl", "NLVPMVATV"], ["A0201"]))
    assert counts[["strong", "peptides"]].to_numpy().tolist() == [[2, 2]]


@pytest.fixture
def rows():
    """Give rows of which those of a kind are no part of another."""
    columns = ["peptide", "allele", "rank", "binder", "uncertainty", "distance"]
    found = [("P", "a", 5.0, "", 0.4, 0.0), ("Q", "a", 1.0, "WB", 0.3, 0.0)]
    found += [("R", "a", 0.1, "SB", 0.1, 0.2), ("R", "b", 50.0, "", 0.4, 0.0)]
    return pd.DataFrame(found, columns=columns).assign(note="")


def test_rows_are_counted_by_their_kind(rows):
    """Prevents weak binders among what does not bind, and certain rows among the uncertain."""
    counts = binders_per_allele(rows).set_index("allele").loc["a"]
    assert counts.to_dict() == {"strong": 1, "weak": 1, "peptides": 3, "uncertain": 2}
    assert "1 of 2 binders are uncertain" in flags(rows)


def test_the_best_peptides_come_first(rows):
    """Prevents a peptide that one allele presents from standing last because another does not."""
    assert re.findall(r"<tr><td[^>]*>(\w)<", heat_map(rows)) == ["R", "Q", "P"]


def test_nothing_to_score_is_a_page_too(predictor):
    """A traceback for a table of which no peptide can be scored."""
    page = report_of(predictor, ["SLYNT"], ["A0201"])
    assert "There is nothing to show" in page and "length 5 is outside 8-15" in page


@needs_browser
def test_tables_are_sorted_by_a_tap(page, tmp_path):
    """A script that does not run, or sorts 10 before 2."""
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    script = """
      const table = [...document.querySelectorAll("table")].find(one => one.textContent.includes("affinity_nm"));
      const head = [...table.querySelectorAll("th")].find(one => one.textContent === "affinity_nm");
      const column = () => [...table.tBodies[0].rows].map(row => Number(row.cells[head.cellIndex].dataset.key));
      head.click(); const up = column(); head.click(); const down = column();
      document.title = JSON.stringify([up, down, head.getAttribute("aria-sort")]);
    """
    title = re.search(r"<title>(.*?)</title>", shown(tmp_path / "report.html", script))[1]
    up, down, state = json.loads(html.unescape(title))
    assert len(up) == 60 and up == sorted(up) and down == up[::-1] and state == "descending"


@needs_browser
def test_a_telephone_shows_it_without_scrolling_sideways(page, tmp_path):
    """Text that is cut off at the edge of a telephone; only tables may be wider, inside their own frame."""
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe style="width:390px;height:800px;border:0" srcdoc="{html.escape(page)}"></iframe>'
        "<script>onload = () => { const inside = document.querySelector('iframe').contentDocument;"
        "document.title = [inside.documentElement.scrollWidth, inside.querySelectorAll('svg').length,"
        "Math.max(...[...inside.querySelectorAll('svg')].map(one => one.getBoundingClientRect().right))].join(' ');"
        "}</script><body></body>",
        encoding="utf-8",
    )
    width, plots, right = re.search(r"<title>(.*?)</title>", shown(frame))[1].split()
    assert int(width) <= 390 and int(plots) == 5 and float(right) <= 390


def test_command(tmp_path, monkeypatch, capsys):
    """The command as the README shows it, for peptides and for proteins, and one line for a mistake."""
    from pmhc_distil import cli

    monkeypatch.chdir(tmp_path)
    protein = str(EXAMPLES / "protein.fasta")
    words = ["report", protein, "--lengths", "9", "--hla", "A0201", "-o", "r.html", "--threads", "1"]
    monkeypatch.setattr("sys.argv", ["pmhc-distil", *words])
    cli.main()
    text = Path("r.html").read_text(encoding="utf-8")
    assert "GILGFVFTL" in text and "P03485" in text
    Path("t.csv").write_text("epitope,seq,hla\nGILGFVFTL,x,none\nGIL,x,none\n")
    for source, wrong, told in (
        (EXAMPLES / "peptides.fasta", ["-o", "r.pdf", "--hla", "A0201"], "end its name in .html"),
        (EXAMPLES / "peptides.fasta", ["-o", "x.html"], "no HLA alleles"),
        ("t.csv", ["-o", "x.html"], "'epitope, seq' (call it peptide, or choose one with --peptide-column"),
        ("t.csv", ["-o", "x.html", "--peptide-column", "epitope", "--hla", "A0201"], "or pass --allele-column ''"),
        (protein, ["-o", "x.html", "--lengths", "9", "--peptide-column", "x"], "proteins have no columns"),
    ):
        monkeypatch.setattr("sys.argv", ["pmhc-distil", "report", str(source), *wrong])
        with pytest.raises(SystemExit, match="2"):
            cli.main()
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1
    assert not Path("x.html").exists()
    words = ["report", "t.csv", "-o", "x.html", "--peptide-column", "epitope", "--allele-column", "", "--hla", "A0201"]
    monkeypatch.setattr("sys.argv", ["pmhc-distil", *words])
    cli.main()
    assert "GILGFVFTL" in Path("x.html").read_text(encoding="utf-8")
    assert "1 of 2 peptides cannot be scored; the page says why" in capsys.readouterr().err
