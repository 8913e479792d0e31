"""The frame of pages: nothing is lost, broken or fetched."""

import re

from pmhc_distil.analysis.html_page import html_figure, html_page, html_table


def plot():
    from matplotlib.figure import Figure

    figure = Figure()
    axis = figure.subplots()
    axis.plot([0, 1 / 3], [0.123456, 1])
    axis.set_title("error 0.04159")
    return figure


def test_a_plot_keeps_its_texts_and_is_the_same_every_time():
    """Coordinates are shortened; a number in a legend that is shortened with them would be a wrong number."""
    image = html_figure(plot(), "a < b")
    assert image == html_figure(plot(), "a < b")
    assert "error 0.04159" in image and "a &lt; b" in image and "<metadata>" not in image
    assert not re.search(r' d="[^"]*\.\d{3}', image)


def test_plots_of_one_page_share_no_id_but_those_of_the_same_shape():
    """Two elements of one id, of which a reader or a script finds only the first."""
    page = html_page("t", [html_figure(plot()), html_figure(plot())])
    ids = re.findall(r' id="([^"]*)"', page)
    assert all(f"#{name}" in page for name in ids)


def test_texts_are_escaped_and_tables_sortable_only_with_keys():
    """A protein called <b> that breaks the page; a script on a page that needs none."""
    plain = html_page("<t>", [html_table(["<h>"], [["<b>"]])], "<f>")
    assert "<b>" not in plain and "<h>" not in plain and "<f>" not in plain and "<script>" not in plain
    sortable = html_page("t", [html_table(["a"], [["1,000"]], keys=[[1000]])])
    assert 'data-key="1000"' in sortable and "<script>" in sortable
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", sortable)
