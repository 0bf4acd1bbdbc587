"""Checks report.html from outside: opens it in headless Chromium and uses it as people do.

    python tests/page/check_page.py                 runs the binary on CDNOW, then looks at the pages
    python tests/page/check_page.py --shots DIR     also keeps screenshots

What the page counts is counted again with polars from assignments.parquet, and what it exports goes through the binary.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import polars as pl

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "tiermill"
sys.path.insert(0, str(ROOT / "tests" / "outside"))
from check_run import Checks  # noqa: E402

DIMENSIONS = {"r": "recency_days", "f": "frequency", "m": "monetary"}
HOSTILE = ["<script>alert(1)</script>", "</script><b>bold", "line\u2028break & 'quote' \"double\"", "<img src=x onerror=alert(2)>", "{{script}}"]
DRAW_ALL = "return (async () => { for (const one of document.querySelectorAll('.chart')) { one.scrollIntoView({behavior: 'instant'}); await new Promise(done => setTimeout(done, 200)); } })()"


def browser(profile):
    """Chromium and its driver, or the way to get them."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        sys.exit("error: the page tests need Chromium and its driver; on Debian: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
        "disable-sync", "disable-dev-shm-usage", "force-device-scale-factor=1", "lang=en-US", f"user-data-dir={profile}",
    ):
        options.add_argument("--" + flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(profile), "intl.accept_languages": "en-US"})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


class Page:
    """One page in the browser."""

    def __init__(self, driver, checks):
        self.driver, self.checks = driver, checks

    def open(self, path, fragment="", width=1440, height=1000):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        return self.go(path.as_uri() + fragment)

    def go(self, address):
        """Opens an address anew, and waits until the page has put itself together."""
        self.driver.get("about:blank")
        self.driver.get(address)
        end = time.monotonic() + 30
        while not self.js("return document.documentElement.dataset.ready"):
            if time.monotonic() > end:
                raise TimeoutError(f"{address} is not ready after 30 seconds")
            time.sleep(0.05)
        return self

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)

    def cell_texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map(row => [...row.children].map(cell => cell.textContent))", selector)

    def cuts(self, key):
        return self.js("return [...document.querySelectorAll('#plot-' + arguments[0] + ' .cut')].map(one => Number(one.getAttribute('aria-valuenow')))", key)

    def type(self, key, at, text):
        self.js("const one = document.querySelectorAll('#plot-' + arguments[0] + ' ~ .inputs input')[arguments[1]]; one.value = arguments[2]; one.dispatchEvent(new Event('change'))", key, at, text)

    def exported(self, form):
        self.click(f"[data-format={form}]")
        return self.find("#export-text").get_property("value")

    def segments(self):
        """Customers and revenue by code, as the JSON export says."""
        found = json.loads(self.exported("json"))
        return {one["code"]: (one["customers"], round(one["revenue"], 2)) for one in found["segments"]}

    def complaints(self):
        """What the console said, and every request that would leave the machine."""
        said = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        asked = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith(("file:", "data:", "blob:", "about:", "chrome")):
                    asked.append(url)
        return said, asked


def tiermill(folder, *arguments, code=0):
    done = subprocess.run([str(BINARY.resolve()), *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout


def scores(customers, cuts):
    """Score of each customer in each dimension: bands end at cut points, inclusive; the fewest days are the best."""
    def band(name, own):
        return sum((pl.col(name) > cut).cast(pl.Int64) for cut in own) if own else pl.lit(0)

    return customers.with_columns(
        (len(cuts["r"]) + 1 - band("recency_days", cuts["r"])).alias("R"),
        (band("frequency", cuts["f"]) + 1).alias("F"),
        (band("monetary", cuts["m"]) + 1).alias("M"),
    )


def recount(customers, cuts):
    """Customers and revenue by code, from the rows."""
    scored = scores(customers, cuts)
    eight = all(len(own) == 1 for own in cuts.values())
    groups = scored.group_by("R", "F", "M").agg(pl.len().alias("n"), pl.col("monetary").sum().alias("revenue"))
    name = (lambda r, f, m: f"{r - 1}{f - 1}{m - 1}") if eight else (lambda r, f, m: f"R{r}F{f}M{m}")
    return {name(row["R"], row["F"], row["M"]): (row["n"], round(row["revenue"], 2)) for row in groups.iter_rows(named=True)}


def same_counts(checks, what, page, customers):
    cuts = {key: page.cuts(key) for key in DIMENSIONS}
    found = {code: own for code, own in page.segments().items() if own[0]}
    checks.equal(what, found, recount(customers, cuts))


def looks(checks, page, path):
    """It loads, in silence, and says what the run found."""
    page.open(path)
    checks.that("the page is ready", page.js("return Number(document.documentElement.dataset.ready)") > 0)
    tiers = json.loads((path.parent / "tiers.json").read_text(encoding="utf-8"))
    rows = page.cell_texts("#tiers .scroll")
    checks.equal("the tiers table", [row[3] for row in rows], [f"{tier['customers']:,}" for tier in tiers["tiers"]])
    # A chart is drawn when it comes into view.
    page.js(DRAW_ALL)
    checks.equal("charts that are not drawn", page.js("return [...document.querySelectorAll('.chart')].filter(one => one.querySelectorAll('svg path').length < 3).map(one => one.getAttribute('aria-label'))"), [])
    comparison = json.loads((path.parent / "comparison.json").read_text(encoding="utf-8"))
    counts = [[0 if cell == "·" else int(cell.replace(",", "")) for cell in row[1:]] for row in page.cell_texts("#cross .scroll")]
    checks.equal("the cross table is that of comparison.json", counts, comparison["cross_table"]["customers"])
    said, asked = page.complaints()
    checks.equal("no word on the console", said, [])
    checks.equal("no request", asked, [])


def speaks(checks, page, path):
    page.open(path, "#lang=en&theme=light")
    checks.equal("English", page.find("#title").text, "Customer tiers")
    page.click("[data-lang=zh]")
    checks.equal("Chinese after the switch", page.find("#title").text, "客户分层")
    checks.equal("the language of the document", page.js("return document.documentElement.lang"), "zh-Hans")
    latin = page.js("return [...document.querySelectorAll('h2, h3, th, button, caption, label')].map(one => one.textContent.trim()).filter(text => /^[A-Za-z ]{6,}$/.test(text))")
    known = {"Davies-Bouldin", "English"}
    checks.equal("no heading is left in English", [text for text in latin if text not in known], [])
    page.click("button[data-theme=dark]")
    checks.equal("dark after the switch", page.js("return getComputedStyle(document.body).backgroundColor"), "rgb(20, 23, 27)")
    address = page.js("return location.href")
    page.go(address)
    checks.equal("language and colours are in the address", page.js("return [document.documentElement.lang, document.documentElement.dataset.theme]"), ["zh-Hans", "dark"])
    page.open(path)
    checks.equal("without an address, the language of the browser", page.js("return document.documentElement.lang"), "en")


def calibrates(checks, page, path, customers):
    from selenium.webdriver import ActionChains, Keys

    page.open(path, "#lang=en&theme=light")
    same_counts(checks, "the first counts are those of the rows", page, customers)
    first = {key: page.cuts(key) for key in DIMENSIONS}
    handle = page.find("#plot-r .cut")
    page.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", handle)
    ActionChains(page.driver).click_and_hold(handle).move_by_offset(-60, 0).move_by_offset(-50, 0).release().perform()
    dragged = page.cuts("r")
    checks.that("a drag moves the cut", dragged[0] < first["r"][0], f"{first['r']} to {dragged}")
    same_counts(checks, "counts after a drag", page, customers)
    checks.that("a recount takes less than 100 ms", float(page.js("return document.documentElement.dataset.recount")) < 100, page.js("return document.documentElement.dataset.recount"))
    handle = page.find("#plot-m .cut")
    handle.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    checks.that("a key moves the cut", page.cuts("m")[0] > first["m"][0])
    same_counts(checks, "counts after keys", page, customers)
    checks.equal("focus stays on the handle", page.js("return document.activeElement.getAttribute('role')"), "slider")
    page.type("f", 0, "4")
    checks.equal("a typed cut", page.cuts("f"), [4])
    page.click("#plot-f ~ .inputs .add")
    page.click("#plot-m ~ .inputs .add")
    checks.equal("cuts after adding", [len(page.cuts(key)) for key in DIMENSIONS], [1, 2, 2])
    same_counts(checks, "counts of eighteen segments", page, customers)
    full = {key: page.cuts(key) for key in DIMENSIONS}
    page.click("#undo")
    page.click("#undo")
    checks.equal("two steps undone", [len(page.cuts(key)) for key in DIMENSIONS], [1, 1, 1])
    page.click("#redo")
    page.click("#redo")
    checks.equal("and redone", {key: page.cuts(key) for key in DIMENSIONS}, full)
    address = page.js("return location.href")
    page.click("#reset")
    checks.equal("reset", {key: page.cuts(key) for key in DIMENSIONS}, first)
    page.go(address)
    checks.equal("a link restores the cuts", {key: page.cuts(key) for key in DIMENSIONS}, full)
    page.click("#plot-f ~ .inputs .one button")
    checks.equal("a cut is removed", len(page.cuts("f")), 1)
    same_counts(checks, "counts after removing", page, customers)
    page.type("m", 0, "nonsense")
    checks.equal("nonsense moves nothing", page.cuts("m"), full["m"])
    checks.that("recounts are spoken", page.js("return new Promise(done => setTimeout(() => done(document.getElementById('live').textContent), 600))") != "")
    said, asked = page.complaints()
    checks.equal("no word on the console after all that", (said, asked), ([], []))


def exports(checks, page, path, customers, folder):
    """The rule file goes through the binary and gives what the page showed."""
    for name, fragment in (("eight", "#lang=en&r=120&f=3&m=100"), ("many", "#lang=en&r=30,90,365&f=1,4&m=25,100,400,1000")):
        page.open(path, fragment)
        shown = page.segments()
        (folder / f"{name}.toml").write_text(page.exported("toml"), encoding="utf-8")
        checks.that(f"{name}: the rule file says what it was fitted to", 'fitted-as-of = "1998-07-01T00:00:00"' in (folder / f"{name}.toml").read_text(encoding="utf-8"))
        proof = json.loads(tiermill(folder, "maps", "--check", f"{name}.toml", "--format", "json"))
        checks.equal(f"{name}: the exported map is proven whole", (proof["mece"], proof["segments"]), (True, len(shown)))
        found = json.loads(tiermill(folder, "compare", f"{name}.toml", "out", *ORDERS, "--format", "json", "--quiet"))["cross_table"]
        names = {one["name"]: one["code"] for one in json.loads(page.exported("json"))["segments"]}
        counts = {names[row]: (sum(n), round(sum(revenue), 2)) for row, n, revenue in zip(found["rows"], found["customers"], found["revenue"])}
        checks.equal(f"{name}: through the binary, the counts of the page", counts, {code: own for code, own in shown.items() if code in counts or own[0]})
        tiers = page.cell_texts("#cross-tiers")
        by_tier = {row[0]: [0 if cell == "·" else int(cell.replace(",", "")) for cell in row[1:]] for row in tiers}
        checks.equal(f"{name}: the cross table against the tiers", by_tier, {row: n for row, n in zip(found["rows"], found["customers"]) if sum(n)})
        case = page.exported("sql").split("\n", 1)[1].replace("END AS segment", "END")
        by_name = dict(customers.select(pl.sql_expr(case).alias("segment"))["segment"].value_counts().iter_rows())
        checks.equal(f"{name}: the exported SQL gives the same", by_name, {one: shown[code][0] for one, code in names.items() if shown[code][0]})


def sets(checks, page, path, folder):
    """Each set can be told from the others, a link that names one takes its cuts, and any state can be taken away."""
    page.open(path, "#lang=en")
    labels = page.js("return [...document.querySelectorAll('#from option')].map(one => one.textContent)")
    checks.equal("no two sets are called the same", sorted(set(labels)), sorted(labels))
    checks.equal("one mean among them", [label for label in labels if label.startswith("mean")], ["mean, 2 bands"])
    thresholds = json.loads((path.parent / "thresholds.json").read_text(encoding="utf-8"))["dimensions"]
    page.open(path, "#lang=en&from=median-2")
    checks.equal("a link that names a set takes its cuts", {key: page.cuts(key) for key in DIMENSIONS}, {key: thresholds[name]["median"][0]["cut_points"] for key, name in DIMENSIONS.items()})
    for fragment in ("#r=&f=2&m=100", "#r=&f=&m="):
        page.open(path, fragment)
        (folder / "uncut.toml").write_text(page.exported("toml"), encoding="utf-8")
        proof = json.loads(tiermill(folder, "maps", "--check", "uncut.toml", "--format", "json"))
        checks.that(f"the rule file of {fragment} is accepted", proof["mece"])
    page.open(path, "#lang=en")
    order = [row[0] for row in page.cell_texts("#segments")]
    checks.equal("the eight come in the order of their map", order, [row[0] for row in page.cell_texts("#cross .scroll")])
    page.exported("sql")
    page.click("[data-lang=zh]")
    checks.equal("another language keeps the format of the export", page.js("return document.querySelector('[data-format][aria-pressed=true]').dataset.format"), "sql")
    checks.that("and its text", page.find("#export-text").get_property("value").startswith("--"))


def counts_many_fast(checks, page, path, customers):
    """125 segments: what did not change is not made again, and what did is right."""
    page.open(path, "#lang=en&r=30,90,200,365&f=1,2,4,8&m=20,50,100,400")
    times = page.js(
        "const handle = document.querySelector('#plot-m .cut'), root = document.documentElement, times = [];"
        "for (let at = 0; at < 15; at++) { handle.dispatchEvent(new KeyboardEvent('keydown', { key: at % 3 ? 'ArrowRight' : 'ArrowLeft', bubbles: true })); times.push(Number(root.dataset.recount)); }"
        "return times.sort((a, b) => a - b)"
    )
    checks.that("a recount of 125 segments takes less than 50 ms", times[len(times) // 2] < 50, str(times))
    same_counts(checks, "and is that of the rows", page, customers)
    kept = {key: page.cuts(key) for key in DIMENSIONS}
    tables = ("#segments", "#cross-tiers", "#cross-rules")
    moved = [page.cell_texts(table) for table in tables]
    page.go(page.js("return location.href"))
    checks.equal("the cuts are the same in a fresh page", {key: page.cuts(key) for key in DIMENSIONS}, kept)
    checks.equal("tables that were changed row by row are those of a fresh page", moved, [page.cell_texts(table) for table in tables])


def says_what_it_can(checks, page, path):
    """A total below zero has no shares, and of a feature that all have alike nothing is told."""
    for lang, quiet in (("en", ("ago", "lately", "gone quiet", "last")), ("zh", ("最近", "久未", "沉默"))):
        page.open(path, f"#lang={lang}&theme=light")
        shares = [row[6] for row in page.cell_texts("#tiers .scroll")] + [row[5] for row in page.cell_texts("#segments")] + [row[5] for row in page.cell_texts("#bands-m")]
        checks.equal("no share of a total below zero", set(shares), {"—"})
        told = page.js("return [...document.querySelectorAll('.card p:not(.share)')].map(one => one.textContent).join(' ')")
        checks.equal("no word on recency, which all have alike", [word for word in quiet if word in told], [])
    page.open(path, "#lang=en")
    labels = page.js("return [...document.querySelectorAll('#from option')].map(one => one.textContent)")
    checks.that("a scheme that one dimension lacks is offered, and says so", "natural breaks, 3 bands (Recency: no cut)" in labels, str(labels))
    page.js("document.querySelector('#plot-m .chart').scrollIntoView({behavior: 'instant'})")
    time.sleep(0.5)
    cut = page.js(
        "const box = document.querySelector('#plot-m svg').getBoundingClientRect();"
        "return [...document.querySelectorAll('#plot-m svg text')].filter(one => { const own = one.getBoundingClientRect(); return own.left < box.left || own.right > box.right; }).map(one => one.textContent)"
    )
    checks.equal("no label of the axis is cut off", cut, [])
    page.open(path, "#lang=en", width=390)
    inner = page.js("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    checks.that("long names of sets make no page wider", inner[0] <= inner[1], str(inner))


def tells_exact_days(checks, page, path):
    """Where recency has hours, no day is rounded down, and nobody says that days are whole."""
    for lang, whole, days in (("en", "Orders are whole", "Days and orders"), ("zh", "订单数为整数", "天数与订单数")):
        page.open(path, f"#lang={lang}")
        lead = page.find("#thresholds .lead").text
        checks.that("only orders are called whole", whole in lead and days not in lead, lead)
    ends = page.js("return [...document.querySelectorAll('#thresholds details')].slice(0, 2).map(one => [...one.querySelectorAll('tbody td:nth-child(3)')].map(cell => cell.textContent).join(' '))")
    checks.that("days have their fraction, orders have none", "." in ends[0] and "." not in ends[1], str(ends))


def speaks_chinese(checks, page, path, earlier, breaks):
    """What the run says in English is said in Chinese, or marked as English."""
    page.open(path, "#lang=zh&theme=light")
    words = lambda selector: page.js("return [...document.querySelectorAll(arguments[0])].filter(one => !one.closest('[lang=en]')).map(one => one.textContent)", selector)  # noqa: E731
    checks.equal("k is explained in Chinese", words("#k .lead"), ["k = 5 由配置指定。"])
    verdict = words("#backtest p:not(.lead)")
    checks.that("the backtest's verdict is in Chinese", 3 <= len(verdict) and all("客户" in line or "优" in line or "层" in line for line in verdict), str(verdict))
    tops = re.findall("“(.+?)”", verdict[-1])
    checks.that("with its tiers by their Chinese names", tops and all(re.search("[\u4e00-\u9fff]", name) for name in tops), verdict[-1])
    checks.equal("and so is each difference", [row[4] for row in page.cell_texts("#backtest h3 + .scroll") if "better" in row[4] or "difference" in row[4]], [])
    checks.that("a warning has a Chinese title over its English words", page.js("const one = document.querySelector('.warnings li'); return one.querySelector('strong').textContent.includes('净额') && one.querySelector('div').lang === 'en'"))
    told = (ROOT / "src" / "report" / "page" / "told.js").read_text(encoding="utf-8")
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.rs")]
    codes = {code for text in sources for code in re.findall(r'Warning::new\(\s*"(\w+)"', text)} | {"map_has_gaps", "map_overlaps", "map_unreachable"}
    checks.equal("every warning has a Chinese title", sorted(code for code in codes if f"{code}: " not in told), [])
    reasons = re.findall(r'Self::\w+ => "(\w+)",', (ROOT / "src" / "load" / "reconcile.rs").read_text(encoding="utf-8"))
    checks.that("every reason has words", 16 <= len(reasons) and all(f"{code}: [" in told for code in reasons), str(reasons))
    ends = page.js("return [...document.querySelectorAll('#thresholds details')].slice(0, 2).flatMap(one => [...one.querySelectorAll('tbody td:nth-child(3)')].map(cell => cell.textContent))")
    checks.equal("days and orders are whole in intervals", [text for text in ends if "." in text], [])
    lead = page.find("#changes .lead").text
    checks.that("tiers that were found anew are not called the same", "各自重新分层" in lead and "按名次" in lead, lead)
    page.open(earlier, "#lang=zh")
    checks.that("a reason is in Chinese, beside its code", ["在截止时刻或其后 after_as_of"] == [row[0] for row in page.cell_texts("#rows .scroll")][1:], str(page.cell_texts("#rows .scroll")))
    page.open(breaks, "#lang=en")
    labels = page.js("return [...document.querySelectorAll('#from option')].map(one => one.textContent)")
    checks.that("a set is called after the method of the tiers", "between the tiers (natural breaks), 8 bands" in labels and not any("k-means" in label for label in labels), str(labels))


def compares_with_before(checks, page, nights):
    """Tiers of another model are not said to be the same ones, and an amount per order is called so."""
    placed, other = (next((nights / "runs").glob(f"{day}-*")) / "report.html" for day in ("1998-06-15", "1998-07-01"))
    page.open(placed, "#lang=en")
    checks.that("tiers of one model go by their keys", "by one model" in page.find("#changes .lead").text, page.find("#changes .lead").text)
    checks.equal("each of them stands beside itself", [row[0] for row in page.cell_texts("#changes")], [row[1] for row in page.cell_texts("#tiers .scroll")])
    heads = page.js("return [...document.querySelectorAll('#tiers thead th')].map(one => one.textContent)")
    checks.that("the mean of an order is no total", "Amount per order" in heads and "Amount" not in heads, str(heads))
    profiles = page.js("return [...document.querySelectorAll('.card p:not(.share)')].map(one => one.textContent).join(' ')")
    checks.that("neither in words", "an order" in profiles and "in all" not in profiles, profiles)
    curves = [row[0] for row in page.cell_texts("#lorenz")]
    checks.that("no curve of customers in the order of another amount", curves and "each customer" not in curves, str(curves))
    for lang, words in (("en", "5 tiers then and there are 4 now"), ("zh", "当时有 5 层，现在有 4 层")):
        page.open(other, f"#lang={lang}")
        checks.that("another number of tiers is told", words in page.find("#changes .lead").text, page.find("#changes .lead").text)
        checks.equal("and only totals stand beside each other", page.js("return document.querySelectorAll('#changes tbody tr').length"), 0)


def prints(checks, page, path):
    """On paper the page is light, and a cut line stands on the drawing that it cuts."""
    page.open(path, "#lang=en&theme=dark")
    checks.that("the verdict of the backtest is told", "is the best" in page.find("#backtest").text or "not distinguishable" in page.find("#backtest").text.lower())
    page.js("dispatchEvent(new Event('beforeprint'))")
    checks.equal("paper is light", page.js("return document.documentElement.dataset.theme"), "light")
    widths = page.js("return [...document.querySelectorAll('.plot')].map(plot => [plot.clientWidth, plot.querySelector('svg').clientWidth])")
    checks.equal("plots are drawn as wide as they are", [own for own, _ in widths], [drawn for _, drawn in widths])
    paper = page.js("const one = document.createElement('div'); one.style.width = '178mm'; document.body.append(one); const w = one.clientWidth; one.remove(); return w")
    checks.that("and no wider than paper", len(widths) == 3 and all(own <= paper for own, _ in widths), str(widths))
    page.js("dispatchEvent(new Event('afterprint'))")
    checks.equal("the screen is dark again", page.js("return document.documentElement.dataset.theme"), "dark")
    page.type("m", 0, "1000")
    checks.equal("a thousand can be set", page.cuts("m"), [1000])
    page.type("r", 0, "7")
    checks.equal("a week can be set", page.cuts("r"), [7])
    page.type("m", 0, "1001.5")
    checks.that("a snap is seen", page.js("return [...document.querySelectorAll('.dimension .note')].some(one => !one.hidden && one.textContent.includes('1,001.5'))"))


def resists(checks, page, path):
    """Names that would be code elsewhere are text here."""
    for fragment in ("#lang=en", "#lang=zh"):
        page.open(path, fragment)
        text = page.js("return document.getElementById('main').textContent")
        for name in HOSTILE:
            checks.that(f"{name!r} is text", name in text)
        checks.equal("no element came of it", page.js("return document.querySelectorAll('main img, main script, main b:not(.play b):not(.tip b)').length"), 0)
    said, asked = page.complaints()
    checks.equal("hostile names say nothing and ask nothing", (said, asked), ([], []))


def reachable(checks, page, path):
    """Labels, roles, headings, contrast, width: by hand, as no checker is taken along."""
    page.open(path, "#lang=en&theme=light")
    nameless = page.js(
        "return [...document.querySelectorAll('button, input, select, textarea, a[href], [role=slider], [role=img], [role=region], [role=group]')]"
        ".filter(one => !(one.getAttribute('aria-label') || one.textContent.trim() || one.getAttribute('aria-labelledby') || (one.labels && one.labels.length)))"
        ".map(one => one.outerHTML.slice(0, 90))"
    )
    checks.equal("everything to use has a name", nameless, [])
    checks.equal("one h1", page.js("return document.querySelectorAll('h1').length"), 1)
    levels = page.js("return [...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))")
    checks.that("headings skip no level", all(b <= a + 1 for a, b in zip(levels, levels[1:])), str(levels))
    checks.equal("tables without a caption", page.js("return [...document.querySelectorAll('table')].filter(one => !one.caption?.textContent).length"), 0)
    checks.equal("ids are unique", page.js("const ids = [...document.querySelectorAll('[id]')].map(one => one.id); return ids.filter((id, at) => ids.indexOf(id) !== at)"), [])
    sliders = page.js("return [...document.querySelectorAll('[role=slider]')].every(one => ['valuemin', 'valuemax', 'valuenow', 'valuetext', 'label'].every(key => one.getAttribute('aria-' + key)) && one.tabIndex === 0)")
    checks.that("sliders say what they are", sliders)
    for theme in ("light", "dark"):
        for lang in ("en", "zh"):
            for width in (1440, 390):
                page.open(path, f"#lang={lang}&theme={theme}", width=width)
                inner = page.js("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
                checks.that(f"no sideways scrolling at {width} px, {lang}, {theme}", inner[0] <= inner[1], str(inner))
        poor = page.js(CONTRAST)
        checks.equal(f"text has contrast, {theme}", poor, [])


CONTRAST = """
const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
const ground = one => { for (; one; one = one.parentElement) { const own = rgb(getComputedStyle(one).backgroundColor); if (own.length && (own.length < 4 || own[3] === 1)) return own; } return [255, 255, 255]; };
const poor = new Set();
for (const one of document.querySelectorAll('body *')) {
  if (![...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) || one.closest('.chart, script, style, noscript, button:disabled, .quiet-region, .sr, .skip')) continue;
  const style = getComputedStyle(one), a = light(rgb(style.color)), b = light(ground(one));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const big = parseFloat(style.fontSize) >= 24;
  if (ratio < (big ? 3 : 4.5)) poor.add(`${one.tagName}.${one.className} ${ratio.toFixed(2)} ${one.textContent.slice(0, 30)}`);
}
return [...poor];
"""


def shots(page, path, folder):
    import base64

    folder.mkdir(parents=True, exist_ok=True)
    for width in (1440, 390):
        for theme in ("light", "dark"):
            for lang in ("en", "zh"):
                page.open(path, f"#lang={lang}&theme={theme}", width=width)
                # Charts are drawn when they come into view; as for print, all would be light.
                page.js(DRAW_ALL)
                page.js("scrollTo({top: 0, behavior: 'instant'}); return new Promise(done => setTimeout(done, 100))")
                height = page.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]["height"]
                clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
                image = page.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip})
                (folder / f"{width}-{theme}-{lang}.png").write_bytes(base64.b64decode(image["data"]))


COLUMNS = ["--input", ROOT / "data" / "cdnow.parquet", *"--customer customer_id --time date --amount amount --count days".split()]
ORDERS = [*COLUMNS, "--as-of", "1998-07-01"]


def prepare(folder):
    """A run with rules and a run before it; a page with a backtest; a run whose names are hostile."""
    for day in ("1998-06-01", "1998-07-01"):
        tiermill(folder, "run", *COLUMNS, "--as-of", day, "--quiet", "--k", "5", "--rules", "eight", "--out", "out")
    tiermill(folder, "backtest", *ORDERS, "--k", "5", "--at", "1998-01-01", "--horizon", "90d", "--resamples", "100", "--out", "backtest", "--quiet")
    tiermill(folder, "report", "out", "--backtest", "backtest/backtest.json", "--out", "page/report.html", "--charts")
    tiermill(folder, "run", *ORDERS, "--quiet", "--method", "breaks", "--out", "breaks")
    mean = [*COLUMNS, "--monetary", "mean", "--quiet", "--out", "nights"]
    tiermill(folder, "run", *mean, "--as-of", "1998-06-01", "--k", "5")
    tiermill(folder, "assign", *mean, "--as-of", "1998-06-15", "--model", "nights/current/model.json")
    tiermill(folder, "run", *mean, "--as-of", "1998-07-01", "--k", "4")
    # Everybody bought last on one day, and two in three customers sent back more than they kept.
    odd = pl.read_parquet(ROOT / "data" / "cdnow.parquet").head(20_000)
    last = pl.col("date") + (pl.date(1998, 6, 30) - pl.col("date").max().over("customer_id"))
    sign = pl.when(pl.col("customer_id").cast(pl.Int64) % 3 == 0).then(1).otherwise(-1)
    odd.with_columns(last.alias("date"), pl.col("amount") * sign).write_parquet(folder / "odd.parquet")
    tiermill(folder, "run", "--input", "odd.parquet", *COLUMNS[2:], "--as-of", "1998-07-01", "--refunds", "keep", "--quiet", "--k", "4", "--out", "odd")
    rows = pl.read_parquet(ROOT / "data" / "cdnow.parquet").head(20_000).rename({"amount": "<script>alert(1)</script>"})
    hour = pl.duration(hours=pl.int_range(pl.len()) % 24)
    rows.with_columns(pl.col("date").cast(pl.Datetime("us")) + hour).write_parquet(folder / "hostile.parquet")
    names = json.dumps([name for name in HOSTILE if "'" not in name] + [HOSTILE[2]], ensure_ascii=False)
    (folder / "hostile.toml").write_text(
        "[input]\ninput = 'hostile.parquet'\ncustomer = 'customer_id'\ntime = 'date'\namount = '\"<script>alert(1)</script>\"'\n"
        f"[rfm]\ncount = 'days'\nrecency = 'exact'\n[cluster]\nk = 5\n[tiers]\ntier-names = {names}\n[output]\nout = 'hostile'\n",
        encoding="utf-8",
    )
    tiermill(folder, "run", "--config", "hostile.toml", "--quiet")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shots", type=pathlib.Path, help="keep screenshots in this folder")
    parser.add_argument("--keep", type=pathlib.Path, help="work in this folder and leave it")
    arguments = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.keep.resolve() if arguments.keep else pathlib.Path(name) / "work"
        folder.mkdir(parents=True, exist_ok=True)
        driver = browser(pathlib.Path(name) / "profile")
        try:
            prepare(folder)
            path = (folder / "out" / "current").resolve() / "report.html"
            customers = pl.read_parquet(path.parent / "assignments.parquet")
            page = Page(driver, checks)
            checks.that("the page is small", path.stat().st_size <= 1_500_000, str(path.stat().st_size))
            rebuilt = folder / "again.html"
            tiermill(folder, "report", "out", "--out", "again.html")
            checks.that("rebuilt from the files of the run, it is the same", rebuilt.read_bytes() == path.read_bytes())
            checks.group("looks", looks, page, path)
            checks.group("speaks", speaks, page, path)
            checks.group("calibrates", calibrates, page, path, customers)
            checks.group("exports", exports, page, path, customers, folder)
            checks.group("sets", sets, page, path, folder)
            checks.group("counts many fast", counts_many_fast, page, path, customers)
            checks.group("says what it can", says_what_it_can, page, (folder / "odd" / "current").resolve() / "report.html")
            earlier = next((folder / "out" / "runs").glob("1998-06-01-*")) / "report.html"
            checks.group("speaks Chinese", speaks_chinese, page, folder / "page" / "report.html", earlier, (folder / "breaks" / "current").resolve() / "report.html")
            checks.group("compares with before", compares_with_before, page, folder / "nights")
            checks.group("prints", prints, page, folder / "page" / "report.html")
            checks.group("resists", resists, page, (folder / "hostile" / "current").resolve() / "report.html")
            checks.group("tells exact days", tells_exact_days, page, (folder / "hostile" / "current").resolve() / "report.html")
            checks.group("reachable", reachable, page, folder / "page" / "report.html")
            if arguments.shots:
                shots(page, folder / "page" / "report.html", arguments.shots)
        finally:
            driver.quit()
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(min(checks.failed, 1))


if __name__ == "__main__":
    main()
