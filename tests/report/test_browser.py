"""The page in a real browser, headless Chromium opened from file://: controls, charts, names, keyboard, phones."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace

import pytest

from foldsim.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("no chromium on this machine (Debian: apt-get install chromium)", allow_module_level=True)
pytest.importorskip("plotly", reason="the extra foldsim[report] is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright, which drives the browser, is not installed")

# Chromium on a machine without a screen or a network: nothing of its own goes out.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY_MS = 60_000


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(totals, large, make_rows, renamed, tmp_path_factory):
    """Pages, made when a test asks for them."""
    folder = tmp_path_factory.mktemp("reports")
    several = {"profiles": ("phone-npu",), "fold": (1, 2, 4)}
    makers = {
        "plain": lambda: totals,
        "large": lambda: large,
        "several": lambda: make_rows(**several, sets=[("profile.system.idle_mw", (1, 2, 30))]),
        "baseline": lambda: make_rows(fold=(1,)),
        "folded": lambda: make_rows(fold=(2,), chunk_ms=(160.0,)),
    }

    def path_of(name):
        path = folder / f"{name if name in makers else abs(hash(name))}.html"
        if not path.exists():
            write_report(makers[name]() if name in makers else renamed(totals, name), path)
        return path

    return path_of


@pytest.fixture
def opened(browser, files):
    """Open a page; at the end of the test nothing may have been fetched, logged or thrown."""
    contexts, trouble = [], []

    def open_page(name="plain", width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        address = files(name).as_uri()
        tab.on("console", lambda message: trouble.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        tab.on("request", lambda r: None if r.url.split("#")[0] == address else trouble.append(f"request: {r.url}"))
        tab.on("dialog", lambda dialog: (trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.goto(address)
        tab.wait_for_selector("html[data-ready]", timeout=READY_MS)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []


def choose(tab, **picks):
    for column, label in picks.items():
        tab.select_option(f'select[data-column="{column}"]', label=label)


def trace(tab, chart, index):
    """A trace of a chart, as given to Plotly."""
    return SimpleNamespace(**tab.evaluate(f"document.querySelector('#chart-{chart} .plot').data[{index}]"))


def drawn(tab, chart):
    return tab.evaluate(f"JSON.stringify(document.querySelector('#chart-{chart} .plot').data)")


def wait_until(condition, timeout_s=10.0):
    """Poll from here: the page's policy forbids the evaluation of strings, which playwright's own waiting uses."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "condition not met in time"
        time.sleep(0.05)


CHARTS = ("power", "saving", "latency", "breakdown", "memory", "tradeoff")


def test_the_page_opens_from_a_file_with_all_charts(opened):
    tab = opened()
    assert tab.inner_text("#charts-status") == ""
    for chart in CHARTS:
        assert tab.locator(f"#chart-{chart} .main-svg").count() >= 1
        assert tab.locator(f"#chart-{chart} figcaption").inner_text()


def test_the_verdict_says_what_the_rows_say(opened, totals):
    tab = opened()
    choose(tab, profile="gap9", chunk_ms="80")
    row = (totals["profile"] == "gap9") & (totals["chunk_ms"] == 80) & (totals["fold_factor"] == 2)
    saving, rtf = float(totals["power_saving_ratio"][row][0]), float(totals["rtf"][row][0])
    text = tab.inner_text("#verdict-text")
    assert f"saves {100 * saving:.0f} %" in text
    assert "over the ranges of the profile's coefficients" in text
    assert f"not run in real time (real-time factor {rtf:.2f}" in text
    assert "does not fit in memory" in text
    assert "limited by the bandwidth of emram" in text
    assert "saves most at 40 ms" in tab.inner_text("#verdict-more")


def test_controls_change_charts_and_verdict(opened):
    tab = opened()
    before = tab.inner_text("#verdict-text"), [drawn(tab, chart) for chart in CHARTS]
    choose(tab, profile="gap9")
    after = tab.inner_text("#verdict-text"), [drawn(tab, chart) for chart in CHARTS]
    assert before[0] != after[0]
    assert all(a != b for a, b in zip(before[1], after[1], strict=True))
    assert "gap9" in tab.inner_text("#constants h3")
    choose(tab, fold_factor="baseline")
    assert "the baseline draws" in tab.inner_text("#verdict-text")


def test_charts_hold_the_numbers_of_the_rows(opened, totals):
    tab = opened()
    own = totals.where((totals["profile"] == "phone-npu") & (totals["fold_factor"] == 1))
    low, high, line = (trace(tab, "power", index) for index in (0, 1, 4))
    assert line.x == own["chunk_ms"].tolist()
    for drawn_values, column in ((low.y, "power_low_mw"), (high.y, "power_high_mw"), (line.y, "power_mw")):
        assert drawn_values == pytest.approx(own[column].tolist(), rel=1e-6)
    assert "range" in line.hovertext[0]


def test_hover_shows_values_and_their_band(opened):
    tab = opened()
    tab.locator("#chart-power").scroll_into_view_if_needed()
    box = tab.locator("#chart-power .trace.scatter .points path").last.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.wait_for_selector("#chart-power .hovertext")
    text = tab.text_content("#chart-power .hovertext")
    assert "mW" in text
    assert "range" in text


def test_a_click_on_a_mark_picks_its_design(opened):
    tab = opened()
    tab.locator("#chart-latency").scroll_into_view_if_needed()
    tab.locator("#chart-latency .trace.scatter .points path").first.click(force=True)
    assert tab.locator('select[data-column="chunk_ms"] option:checked').inner_text() == "40"
    assert "chunks of 40 ms" in tab.inner_text("#verdict-text")


def test_a_baseline_mark_keeps_the_folding_that_was_picked(opened):
    tab = opened()
    tab.evaluate("document.querySelector('#chart-power .plot').emit('plotly_click', { points: [{ customdata: 0 }] })")
    assert tab.locator('select[data-column="fold_factor"] option:checked').inner_text() == "folded, N = 2"
    assert tab.locator('select[data-column="chunk_ms"] option:checked').inner_text() == "40"
    assert "saves" in tab.inner_text("#verdict-text")


def test_hostile_names_stay_text(opened, hostile_name):
    tab = opened(hostile_name)
    visible = "".join("\ufffd" if c in "\u202e\u2028\u2029" else c for c in hostile_name)
    assert visible in tab.text_content("#verdict-text")
    assert hostile_name not in tab.text_content("#verdict-text") or visible == hostile_name
    assert tab.locator("img, iframe, a:not(.skip)").count() == 0
    tab.locator("#chart-power").scroll_into_view_if_needed()
    box = tab.locator("#chart-power .trace.scatter .points path").last.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.wait_for_selector("#chart-power .hovertext")
    text = tab.text_content("#chart-power .hovertext")
    assert visible[:12] in text
    assert tab.locator(".plot a").count() == 0


def test_the_keyboard_reaches_everything(opened):
    tab = opened()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.focus('select[data-column="chunk_ms"]')
    tab.keyboard.press("ArrowDown")
    assert "chunks of 640 ms" in tab.inner_text("#verdict-text")
    fields = "[...document.querySelectorAll('select, input, textarea')]"
    assert tab.evaluate(f"{fields}.filter((field) => !field.labels.length && !field.ariaLabel).length") == 0
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_table_sorts_filters_and_copies(opened, totals):
    tab = opened(permissions=["clipboard-read", "clipboard-write"])
    tab.fill("#filter", "phone-npu power_mw<60 fold_factor=2")
    wanted = totals.where((totals["profile"] == "phone-npu") & (totals["power_mw"] < 60) & (totals["fold_factor"] == 2))
    assert tab.locator("#rows tbody tr").count() == len(wanted)
    tab.click("#rows thead button[title='power_mw']")
    assert tab.get_attribute("#rows thead th:has(button[title='power_mw'])", "aria-sort") == "ascending"
    tab.click("#copy-tsv")
    wait_until(lambda: tab.inner_text("#table-status").startswith("Copied"))
    lines = [line.split("\t") for line in tab.evaluate("navigator.clipboard.readText()").splitlines()]
    at = lines[0].index("power_mw")
    assert [float(line[at]) for line in lines[1:]] == pytest.approx(sorted(wanted["power_mw"].tolist()), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        ("power_mw < 60 fold_factor = 2", "power_mw<60 fold_factor=2"),
        ("power_saving_ratio > 10 %", "power_saving_ratio>0.1"),
        ("gap9 80", "profile=gap9 chunk_ms=80"),
    ],
)
def test_the_filter_reads_what_people_type(opened, text, alike):
    tab = opened()
    shown = []
    for filter_text in (text, alike):
        tab.fill("#filter", filter_text)
        shown.append(tab.evaluate("table.rows"))
    assert shown[0] == shown[1]
    assert 0 < len(shown[0]) < 16


def test_the_filter_names_an_unknown_column(opened):
    tab = opened()
    tab.fill("#filter", "nosuch < 3")
    assert tab.inner_text("#table-status") == "column nosuch not found"
    tab.fill("#filter", "power_mw < 60 %")
    assert tab.inner_text("#table-status") == "power_mw is not a ratio: compare it without %"


def test_a_pick_in_the_table_links_to_the_verdict(opened):
    tab = opened()
    tab.click("#rows tbody button.link >> nth=0")
    assert tab.inner_text("#picked-status").startswith("Selected: row 1, phone-npu at 40 ms, baseline")
    tab.click("#picked-status a")
    assert tab.evaluate("document.activeElement.id") == "verdict"
    assert tab.url.endswith("#design-1")


def test_ends_of_a_range_that_look_alike_get_a_digit_more(opened):
    tab = opened()
    pairs = "[[0.2512, 0.2534], [0.25, 0.25], [0.0512, 0.0514], [0.1, 0.3]]"
    ranges = tab.evaluate(f"{pairs}.map((pair) => percentRange(...pair))")
    assert ranges == ["25.1 to 25.3 %", "25 to 25 %", "5.12 to 5.14 %", "10 to 30 %"]


def test_copying_has_a_way_round_a_browser_that_refuses(opened):
    tab = opened()
    tab.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    tab.evaluate("document.execCommand = () => false")
    tab.click("#copy-csv")
    area = tab.locator("#copy-text")
    assert area.is_visible()
    assert area.input_value().startswith("workload,profile,")
    assert "copy them with the keyboard" in tab.inner_text("#table-status")


def test_a_copied_name_is_no_formula(opened):
    tab = opened('=HYPERLINK("x")')
    copied = tab.evaluate("rowsAsText('\\t')")
    assert "\t'=HYPERLINK" in copied
    assert "\t=HYPERLINK" not in copied


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["plain", "several"])
def test_a_phone_shows_it_without_sideways_scrolling(opened, name, scheme):
    tab = opened(name, width=390, height=844, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    rows = tab.locator("#across tbody tr, #rows tbody tr")
    assert max(rows.nth(i).bounding_box()["height"] for i in range(rows.count())) < 60
    tab.mouse.wheel(0, 3000)
    # Four controls stay in sight; more would take too much of the screen.
    wait_until(lambda: tab.evaluate("window.scrollY") > 1000)
    picks = tab.locator("#picks").bounding_box()
    assert (0 <= picks["y"] < 1 and picks["height"] < 130) if name == "plain" else picks["y"] < 0


def test_light_and_dark_follow_the_reader(opened):
    tab = opened(color_scheme="dark")
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    dark_line = trace(tab, "power", 4).line["color"]
    tab.emulate_media(color_scheme="light")
    wait_until(lambda: trace(tab, "power", 4).line["color"] != dark_line)
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_more_axes_and_factors(opened):
    tab = opened("several")
    assert tab.locator("#picks select").count() == 5
    assert tab.locator("#chart-power .legend .traces").count() == 3
    choose(tab, **{"profile.system.idle_mw": "30", "fold_factor": "folded, N = 4"})
    assert "by 4" in tab.inner_text("#verdict-text")
    assert "profile.system.idle_mw = 30" in tab.inner_text("#profile-note")
    other = tab.evaluate("describe(0, page.picked)")
    assert other == "phone-npu at 40 ms, profile.system.idle_mw = 1, baseline"


@pytest.mark.parametrize(("name", "expected"), [("baseline", "the baseline draws"), ("folded", "saves 19 %")])
def test_sweeps_of_one_kind_only(opened, name, expected):
    tab = opened(name)
    assert expected in tab.inner_text("#verdict-text")
    assert "NaN" not in tab.inner_text("main")
    assert "undefined" not in tab.inner_text("main")


def test_twenty_thousand_designs(opened):
    tab = opened("large")
    assert "of 20,000" in tab.inner_text("#page-number")
    tab.evaluate("byId('filter').value = 'g'")
    choose(tab, chunk_ms="40")
    assert "chunks of 40 ms" in tab.inner_text("#verdict-text")


def test_an_address_keeps_the_pick(opened, files):
    tab = opened()
    choose(tab, profile="gap9", chunk_ms="640")
    again = opened()
    again.goto(tab.url)
    again.wait_for_selector("html[data-ready]", timeout=READY_MS)
    assert again.inner_text("#verdict-text") == tab.inner_text("#verdict-text")


def test_a_browser_that_cannot_unpack_gets_a_message(browser, files):
    context = browser.new_context()
    tab = context.new_page()
    tab.add_init_script("delete window.DecompressionStream")
    tab.goto(files("plain").as_uri())
    assert "lacks DecompressionStream" in tab.inner_text("#status")
    context.close()
