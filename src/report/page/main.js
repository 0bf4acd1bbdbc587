// Puts the page together, and again when language or colours change.

const SECTIONS = [
  ["overview", overview], ["tiers", tiersSection], ["changes", changes], ["map", mapSection], ["calibrate", calibrator], ["thresholds", thresholdsSection], ["cross", crossSection], ["grid", gridSection],
  ["lorenz", lorenzSection], ["backtest", backtestSection], ["migration", migrationSection], ["k", kSection], ["rows", rowsSection],
];
const byId = (id) => document.getElementById(id);
const show = () => {
  const scroll = scrollY;
  document.documentElement.lang = view.lang === "zh" ? "zh-Hans" : "en";
  document.documentElement.dataset.theme = view.theme;
  forget();
  byId("skip").textContent = t("skip");
  byId("title").textContent = t("title");
  byId("subtitle").textContent = `${t("asOf", { day: dayOf(D.tiers.as_of) })} · ${t("run", { id: D.run_id })}`;
  document.title = `${t("title")} · ${dayOf(D.tiers.as_of)} · tiermill`;
  byId("languages").setAttribute("aria-label", t("language"));
  byId("themes").setAttribute("aria-label", t("theme"));
  document.querySelectorAll("[data-lang]").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.lang === view.lang)));
  document.querySelectorAll("button[data-theme]").forEach((one) => {
    one.textContent = t(one.dataset.theme);
    one.setAttribute("aria-pressed", String(one.dataset.theme === view.theme));
  });
  const made = SECTIONS.map(([id, make]) => [id, make()]).filter(([, element]) => element);
  byId("main").replaceChildren(...made.map(([, element]) => element));
  const contents = byId("contents");
  contents.setAttribute("aria-label", t("contents"));
  // The fragment holds the state, so links move the page and leave it alone.
  contents.replaceChildren(...made.map(([id]) => h("a", { href: "#" + id, onclick: (event) => {
    event.preventDefault();
    const target = byId(id);
    target.scrollIntoView();
    target.setAttribute("tabindex", "-1");
    target.focus({ preventScroll: true });
  } }, t("nav_" + id))));
  byId("colophon").textContent = t("colophon", { version: D.version });
  byId("licences-title").textContent = t("licences");
  scrollTo({ top: scroll, behavior: "instant" });
};
document.querySelectorAll("button[data-lang]").forEach((one) => one.addEventListener("click", () => { view.lang = one.dataset.lang; remember(); show(); }));
document.querySelectorAll("button[data-theme]").forEach((one) => one.addEventListener("click", () => { view.theme = one.dataset.theme; remember(); show(); }));
addEventListener("hashchange", () => {
  if (location.hash === remembered) return;
  recall();
  show();
});
// Paper is light and has a width of its own; what was not scrolled to is printed, too.
let screenTheme = null;
addEventListener("beforeprint", () => {
  if (screenTheme) return;
  screenTheme = view.theme;
  view.theme = "light";
  document.documentElement.classList.add("print");
  show();
  drawn.forEach((_, element) => draw(element));
});
addEventListener("afterprint", () => {
  view.theme = screenTheme ?? view.theme;
  screenTheme = null;
  document.documentElement.classList.remove("print");
  show();
});
recall();
show();
document.documentElement.dataset.ready = performance.now().toFixed(0);
