// What a reader chose, kept in the browser: colours and the zone of times. Nothing else is kept.

const read = (name) => { try { return localStorage.getItem("clickloop." + name); } catch { return null; } };
const write = (name, value) => { try { localStorage.setItem("clickloop." + name, value); } catch { /* private window: kept until it is closed */ } };

const THEMES = ["auto", "light", "dark"];

export const settings = {
  theme: THEMES.includes(read("theme")) ? read("theme") : "auto",
  utc: read("utc") === "true",
};

// applyTheme has the page follow the system ("auto") or the reader.
export function applyTheme() {
  if (settings.theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", settings.theme);
}

export function nextTheme() {
  settings.theme = THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length];
  write("theme", settings.theme);
  applyTheme();
}

export function toggleUTC() {
  settings.utc = !settings.utc;
  write("utc", String(settings.utc));
}

// reducedMotion tells that the system asks for as little movement as possible.
export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
