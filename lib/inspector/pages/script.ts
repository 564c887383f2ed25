/**
 * Live updates of a page, where scripts run. Nothing depends on them.
 *
 * When the server reports a change, the page is fetched again and only what differs is replaced in the document. So the
 * focus, the selection, unfolded details and the scroll position are kept.
 *
 * @module
 */

/** The one script of every page. It runs in a browser, so it is text here. */
export const SCRIPT = String.raw`
"use strict";
(() => {
  const BETWEEN_WORDS_MS = 5000;
  const byId = (id) => document.getElementById(id);
  const liveHref = document.body.dataset.live;
  let source, timer, isFetching = false, isStale = false, hasEnded = false, lastFetch = Date.now();

  // ---- unfolds the target of the address ----

  function unfoldTarget() {
    const target = location.hash && byId(location.hash.slice(1));
    const inner = target && target.closest("details");
    if (!inner) return;
    for (let fold = inner; fold; fold = fold.parentElement.closest("details")) fold.open = true;
    inner.scrollIntoView({ block: "nearest" });
  }
  addEventListener("hashchange", unfoldTarget);
  // A second click on the same link changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) unfoldTarget();
  });
  unfoldTarget();

  // ---- times relative to now ----

  const offset = Number(byId("main").dataset.at || Date.now()) - Date.now();
  const UNITS = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"]];
  function relative(ms) {
    const distance = Math.abs(ms);
    if (distance < 1000) return "now";
    const [size, unit] = UNITS.find(([size]) => distance >= 2 * size) || UNITS[3];
    const words = Math.round(distance / size) + " " + unit;
    return ms < 0 ? words + " ago" : "in " + words;
  }
  function tick() {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const words = relative(Date.parse(time.dateTime) - Date.now() - offset);
      if (time.textContent !== words) time.textContent = words;
    }
  }
  setInterval(() => document.hidden || tick(), 1000);

  // ---- times of day in the zone of the reader, with UTC in the tooltip ----

  function localize(root) {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const at = new Date(time.dateTime);
      const two = (number) => String(number).padStart(2, "0");
      const ms = at.getMilliseconds();
      const minutes = two(at.getHours()) + ":" + two(at.getMinutes());
      const seconds = ":" + two(at.getSeconds()) + (ms ? "." + String(ms).padStart(3, "0") : "");
      const day = at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate());
      time.textContent = time.dataset.local === "minute" ? minutes : day + " " + minutes + seconds;
    }
  }
  localize(document);

  // ---- updates of the document ----

  function merge(old, next) {
    if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || (old.id || "") !== (next.id || "")) {
      old.replaceWith(next);
    } else if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== next.data) old.data = next.data;
    } else if (!old.isEqualNode(next)) {
      mergeAttributes(old, next);
      mergeChildren(old, next);
    }
  }

  function mergeAttributes(old, next) {
    // What the reader has unfolded stays unfolded.
    const isTheirs = (name) => name === "open" && old.nodeName === "DETAILS";
    for (const { name } of [...old.attributes]) {
      if (!next.hasAttribute(name) && !isTheirs(name)) old.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (old.getAttribute(name) !== value && !isTheirs(name)) old.setAttribute(name, value);
    }
  }

  // Children with an id are matched by it, so that a focused row stays the same element.
  function mergeChildren(parent, next) {
    const wanted = new Set([...next.children].flatMap(({ id }) => id ? [id] : []));
    const known = new Map([...parent.children].flatMap((child) => child.id ? [[child.id, child]] : []));
    let old = parent.firstChild;
    for (const child of [...next.childNodes]) {
      const named = known.get(child.id);
      // Elements before the match were removed: moving the match instead would take its focus.
      while (old && old !== named && (old.id ? !wanted.has(old.id) : named)) old = drop(old);
      const twin = child.id ? named : old && !old.id ? old : undefined;
      if (!twin) {
        parent.insertBefore(child, old);
        continue;
      }
      if (twin === old) old = old.nextSibling;
      else parent.insertBefore(twin, old);
      merge(twin, child);
    }
    while (old) old = drop(old);
  }

  function drop(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  // ---- live stream ----

  async function refresh() {
    if (isFetching || document.hidden) {
      isStale = true;
      return;
    }
    isFetching = true;
    isStale = false;
    lastFetch = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      isStale = true;
      return; // the stream reports when the server is reachable again
    } finally {
      isFetching = false;
    }
    if (isStale) soon();
  }

  function take(next) {
    localize(next);
    for (const id of ["main", "footer"]) {
      if (next.getElementById(id)) merge(byId(id), document.adoptNode(next.getElementById(id)));
    }
    document.title = next.title;
    tick();
    announce(byId("main").dataset.status);
  }

  function soon() {
    if (timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      refresh();
    }, Math.max(0, lastFetch + 1000 * (byId("main").dataset.between || 1) - Date.now()));
  }

  // Announced if it differs from the last announcement, but not so often that it drowns everything else.
  let said = byId("main").dataset.status, saidAt = 0, words;
  function announce(status) {
    if (!status || status === said) return;
    clearTimeout(words);
    words = setTimeout(() => {
      said = status;
      saidAt = Date.now();
      byId("announcer").textContent = status;
    }, hasEnded ? 0 : Math.max(0, saidAt + BETWEEN_WORDS_MS - Date.now()));
  }

  function show(words, isOn) {
    const sign = byId("live");
    sign.hidden = false;
    sign.textContent = words;
    sign.classList.toggle("on", isOn);
  }

  function follow() {
    if (source || hasEnded || document.hidden) return;
    source = new EventSource(liveHref);
    let isFirst = true;
    source.onopen = () => {
      show("live", true);
      // Changes while the page was not connected.
      if (!isFirst || isStale) soon();
      isFirst = false;
    };
    source.onerror = () => {
      show(source.readyState === EventSource.CLOSED ? "not live" : "connecting", false);
    };
    source.addEventListener("changed", soon);
    source.addEventListener("ended", () => {
      hasEnded = true;
      unfollow();
      show("ended", false);
      refresh();
    });
  }

  function unfollow() {
    if (source) source.close();
    source = undefined;
  }

  if (liveHref) {
    follow();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        isStale = true; // changes are missed from now on
        return unfollow();
      }
      follow();
      soon();
    });
    setInterval(() => {
      const againMs = 1000 * byId("main").dataset.again;
      const isLive = source && source.readyState === EventSource.OPEN;
      if (againMs && isLive && !document.hidden && Date.now() - lastFetch > againMs) soon();
    }, 1000);
  }
})();
`;
