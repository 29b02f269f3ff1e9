// What the panel's pages do by themselves: times in the reader's zone, parts that refresh, dialogs, charts.
"use strict";

// Times. The server gives UTC; the reader sees their own zone, how long ago, and the exact moment on hover.
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const DAYS = 2 * 86400; // a chart of more tells dates, one of less the time of day
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30]];

function relative(moment) {
  let size = (moment - Date.now()) / 1000;
  for (const [unit, most] of STEPS) {
    if (Math.abs(size) < most) return ago.format(Math.trunc(size), unit);
    size /= most;
  }
  return clock.format(moment);
}

function showTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    const text = relative(moment);
    if (element.textContent !== text) element.textContent = text;
    element.title = exact.format(moment);
  }
}

// Charts: redrawn whenever their data came anew.
const plots = new Map();

function colour(kind) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${kind}`).trim() || "gray";
}

function showCharts() {
  if (typeof uPlot === "undefined") return;
  for (const [element, plot] of plots) {
    if (!element.isConnected) { plot.destroy(); plots.delete(element); }
  }
  for (const element of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(element.dataset.chart);
    plots.get(element)?.destroy();
    element.replaceChildren();
    plots.delete(element);
    if (data.times.length < 2) { element.textContent = "Not enough is known yet: look again in a few minutes."; continue; }
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const tick = data.times.at(-1) - data.times[0] > DAYS ? day : hour;
    const plot = new uPlot({
      width: element.clientWidth || 320,
      height: 160,
      legend: { show: data.series.length > 1 },
      cursor: { y: false },
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, high ?? 1) * 1.1] } },
      axes: [{ ...axis, size: 32, values: (_, ticks) => ticks.map((moment) => tick.format(moment * 1000)) }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => tick.toLocaleString() + data.unit) }],
      series: [{}, ...data.series.map(([label, , kind]) => ({ label, stroke: colour(kind), width: 2, points: { show: data.times.length < 40 } }))],
    }, [data.times, ...data.series.map(([, values]) => values)], element);
    plots.set(element, plot);
  }
}

// What is wider than its frame scrolls in it, by the keyboard too; a shade at its edge says that it goes on.
function letScroll() {
  for (const element of document.querySelectorAll(".wide, pre")) {
    const scrolls = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
    if (scrolls) element.tabIndex = 0; else element.removeAttribute("tabindex");
    showEdge(element);
  }
}

function showEdge(element) {
  element.classList.toggle("more", element.scrollLeft + element.clientWidth < element.scrollWidth - 1);
}
document.addEventListener("scroll", (event) => { if (event.target.classList?.contains("wide")) showEdge(event.target); }, true);

// Parts that refresh by themselves, while somebody looks and nobody types in them.
const timers = new Map();

function refresh(element) {
  if (document.hidden || !element.isConnected) return;
  const busy = element.querySelector("details[open] form, input:focus, select:focus, textarea:focus");
  if (!busy) htmx.trigger(element, "refresh");
}

function startRefreshing() {
  for (const element of document.querySelectorAll("[data-every]")) {
    if (timers.has(element)) continue;
    timers.set(element, setInterval(() => refresh(element), Number(element.dataset.every) * 1000));
  }
  for (const [element, timer] of timers) {
    if (!element.isConnected) { clearInterval(timer); timers.delete(element); }
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) timers.forEach((_, element) => refresh(element));
});

// The dialog: links with data-sheet open in it; forms in it are sent by htmx and answered in it.
const sheet = () => document.getElementById("sheet");

function openSheet(link) {
  document.getElementById("sheet-title").textContent = link.dataset.sheet;
  document.getElementById("dialog").innerHTML = '<p class="quiet">One moment…</p>';
  if (!sheet().open) sheet().showModal();
  htmx.ajax("GET", link.href, { target: "#dialog", swap: "innerHTML" });
}

// A form whose answer is shown in the dialog: what was tried, and what it found.
function sendToSheet(form) {
  document.getElementById("sheet-title").textContent = form.dataset.sheet;
  document.getElementById("dialog").innerHTML = '<p class="quiet" role="status">One moment: this really asks…</p>';
  sheet().showModal();
  htmx.ajax("POST", form.action, { target: "#dialog", swap: "innerHTML", values: Object.fromEntries(new FormData(form)) });
}

// What was done in the dialog shows behind it.
sheet()?.addEventListener("close", () => {
  document.getElementById("dialog").replaceChildren();
  timers.forEach((_, element) => refresh(element));
});

function confirmFirst(form) {
  document.getElementById("sheet-title").textContent = form.querySelector("button").textContent;
  const body = document.getElementById("dialog");
  body.replaceChildren();
  const question = document.createElement("p");
  question.textContent = form.dataset.confirm;
  const yes = document.createElement("button");
  yes.textContent = form.querySelector("button").textContent;
  yes.className = form.querySelector("button").classList.contains("bad") ? "bad" : "main";
  yes.addEventListener("click", () => { delete form.dataset.confirm; sheet().close(); form.requestSubmit(); });
  const no = document.createElement("button");
  no.textContent = "Keep as it is";
  no.addEventListener("click", () => sheet().close());
  const row = document.createElement("p");
  row.className = "row";
  row.append(yes, no);
  body.append(question, row);
  sheet().showModal();
  no.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sheet]");
  if (link && !event.ctrlKey && !event.metaKey) { event.preventDefault(); openSheet(link); return; }
  const closer = event.target.closest("[data-closes-sheet]");
  if (closer?.closest("dialog")) { event.preventDefault(); sheet().close(); return; }
  const toggle = event.target.closest("[data-toggles]");
  if (toggle) {
    const open = document.getElementById(toggle.dataset.toggles).classList.toggle("open");
    toggle.setAttribute("aria-expanded", String(open));
    return;
  }
  if (event.target.closest("[data-theme-next]")) {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    const next = dark ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    document.cookie = `theme=${next}; path=/; max-age=31536000; SameSite=Lax`;
    showCharts();
    return;
  }
  const copy = event.target.closest("[data-copies]");
  if (copy) copyText(copy, document.getElementById(copy.dataset.copies));
});

// Over plain HTTP the browser gives no clipboard to scripts: then the text is selected, and the reader copies it.
async function copyText(button, source) {
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: copy it by Ctrl+C";
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm) { event.preventDefault(); confirmFirst(form); return; }
  if (form.dataset.sheet) { event.preventDefault(); sendToSheet(form); return; }
  // A second click must not do a thing twice.
  if (form.method === "post") setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
});

// Fields that belong to one choice of another: <div data-shown-by="platform" data-shown-for="bigcommerce">.
function showDependent(root) {
  for (const element of root.querySelectorAll("[data-shown-by]")) {
    const chooser = element.closest("form").elements[element.dataset.shownBy];
    const shown = element.dataset.shownFor.split(" ").includes(chooser.value);
    element.hidden = !shown;
    element.querySelectorAll("input, select").forEach((input) => { input.disabled = !shown; });
  }
}

document.addEventListener("change", (event) => {
  showDependent(document);
  if (event.target.form?.dataset.submits === "change") event.target.form.requestSubmit();
});

function say(text, place = document.getElementById("messages")) {
  const line = document.createElement("p");
  line.className = "message bad";
  line.setAttribute("role", "alert");
  line.textContent = text;
  place.querySelectorAll(":scope > .message").forEach((before) => before.remove());
  place.prepend(line);
}

// What was sent and not taken can be sent again: nobody is left before a button that is switched off.
function letSendAgain(root) {
  root.querySelectorAll("form[method=post] button:disabled").forEach((button) => { button.disabled = false; });
}

function sayFailed(event, what) {
  if (event.detail.target?.id === "dialog") {
    letSendAgain(sheet());
    say(`${what} Nothing is lost: try again in a moment.`, document.getElementById("dialog"));
  } else {
    say(`${what} This page is not up to date; it tries again by itself.`);
  }
}

// The form of a dialog that stands on a page of its own is sent as that page.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.target?.id === "dialog" && !sheet().open && event.detail.elt.matches("form")) {
    event.preventDefault();
    event.detail.elt.submit();
  }
});
document.addEventListener("htmx:sendError", (event) => sayFailed(event, "The server can't be reached."));
document.addEventListener("htmx:responseError", (event) => {
  const shown = event.detail.target?.id === "dialog" && [502, 503].includes(event.detail.xhr.status); // says it itself
  if (event.detail.xhr.status >= 500 && !shown) sayFailed(event, "The server has a problem.");
});
// The browser's way back shows the page as it was left: with its buttons switched off.
addEventListener("pageshow", (event) => { if (event.persisted) letSendAgain(document); });
// A refresh that failed shows no error page in the middle of the page; the next one that works puts it right.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target?.dataset?.every) {
    event.detail.shouldSwap = event.detail.xhr.status === 200;
    if (event.detail.shouldSwap) document.querySelectorAll("#messages .bad").forEach((line) => line.remove());
  }
});
document.addEventListener("htmx:afterSwap", (event) => {
  letScroll(); // at once: what came anew knows nothing of it
  if (event.detail.target?.id === "dialog") (
    document.querySelector("#dialog :is(input, select, textarea)[aria-invalid=true]") ??
    document.querySelector("#dialog input:not([type=hidden]), #dialog select") ??
    document.querySelector("#dialog [data-closes-sheet]") ?? // where nothing is typed in, what changes nothing
    document.querySelector("#dialog button")
  )?.focus();
});
document.addEventListener("htmx:afterSettle", (event) => {
  showTimes(document);
  showDependent(document);
  startRefreshing();
  letScroll();
  if (event.target.querySelector?.("[data-chart]")) showCharts();
});

let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; showCharts(); letScroll(); } });

showTimes(document);
showDependent(document);
showCharts();
startRefreshing();
letScroll();
document.querySelector("main [aria-invalid=true]")?.focus();
// A screen reader tells what comes into a live region, not what was there from the beginning.
const said = document.getElementById("messages");
setTimeout(() => said.append(...said.children), 250);
setInterval(() => { if (!document.hidden) showTimes(document); }, 5000);
