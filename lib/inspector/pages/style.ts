/**
 * The style of the pages. Every state has three colours: for text, background and bars. Text has a contrast of at least
 * 4.5 on its background and on the page, bars and symbols of at least 3.
 *
 * @module
 */

/** The one style of every page. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#fafaf9, #131517);
  --panel: light-dark(#ffffff, #1a1d20);
  --sunken: light-dark(#f3f3f1, #0f1113);
  --text: light-dark(#1b1e22, #e4e6e9);
  --muted: light-dark(#5a616b, #9ca3ae);
  --rule: light-dark(#e2e3e1, #2b2f34);
  --strong-rule: light-dark(#c9ccd1, #434a52);
  --link: light-dark(#1450b4, #8cb6ff);
  --edge: light-dark(#00000038, #000000c0);
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
}
.s-completed { --ink: light-dark(#17652c, #7fd695); --ground: light-dark(#e3f4e7, #17301e); --bar: light-dark(#2f9350, #3fa663); }
.s-failed { --ink: light-dark(#ab2117, #ff9f96); --ground: light-dark(#fdeae8, #3d1b19); --bar: light-dark(#d4453a, #e2635a); }
.s-running { --ink: light-dark(#1450b4, #8cb6ff); --ground: light-dark(#e5eefd, #162943); --bar: light-dark(#2f78dc, #5291ee); }
.s-waiting, .s-blocked { --ink: light-dark(#7d4b00, #f0bf6e); --ground: light-dark(#fdf1da, #362810); --bar: light-dark(#b5760f, #c98f2e); }
.s-paused, .s-compensating, .s-compensated { --ink: light-dark(#6434ac, #c8aaff); --ground: light-dark(#f1eafd, #2a2040); --bar: light-dark(#8a5bd6, #9d76de); }
.s-pending { --ink: light-dark(#535a64, #a9b0ba); --ground: light-dark(#eeeff1, #272b30); --bar: light-dark(#7d8590, #7d8590); }
.s-skipped { --ink: light-dark(#535a64, #a9b0ba); --ground: light-dark(#f5f5f3, #1d2023); --bar: light-dark(#7d8590, #7d8590); }
.s-cancelled, .s-interrupted { --ink: light-dark(#6a5340, #cdb39c); --ground: light-dark(#f4ece5, #2f2721); --bar: light-dark(#97785c, #a3866b); }

* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
a { color: var(--link); text-underline-offset: 0.15em; text-decoration-thickness: 0.06em; }
a:not(:hover) { text-decoration-color: color-mix(in srgb, currentColor 35%, transparent); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
code, pre, .graph .name { font-family: var(--mono); font-size: 0.86em; }
code { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.4rem; font-weight: 620; overflow-wrap: anywhere; }
h1 .badge { font-size: 0.9rem; vertical-align: 0.25em; margin-left: 0.35em; }
h2 { font-size: 1.02rem; margin: 0 0 0.5rem; font-weight: 620; }
h3 { font-size: 0.86rem; margin: 1rem 0 0.35rem; font-weight: 620; color: var(--muted); }
p { margin: 0.4rem 0; }
ul, ol { margin: 0; padding: 0; list-style: none; }
section { margin-top: 1.75rem; }
.note, .small, .crumbs, .id-line, .when, footer { color: var(--muted); }
.note, .small, .crumbs, .id-line, footer { font-size: 0.84rem; }
.lead { max-width: 70ch; overflow-wrap: anywhere; }
.bad { color: light-dark(#ab2117, #ff9f96); font-weight: 600; }
.empty { padding: 2.5rem 1rem; text-align: center; color: var(--muted); border: 1px dashed var(--strong-rule); border-radius: 8px; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.sheet { position: absolute; }
.skip { position: absolute; left: 0.5rem; top: -4rem; background: var(--panel); padding: 0.5rem 1rem; z-index: 9; border: 1px solid var(--strong-rule); }
.skip:focus { top: 0.5rem; }

.top { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1.5rem; padding: 0.55rem clamp(0.9rem, 2.5vw, 2rem); background: var(--panel); border-bottom: 1px solid var(--rule); }
.brand { font-weight: 680; color: var(--text); text-decoration: none; letter-spacing: -0.01em; }
.top ul, .states ul, .tally { display: flex; flex-wrap: wrap; gap: 0.15rem 0.3rem; }
.top nav a { display: block; padding: 0.3rem 0.6rem; border-radius: 6px; color: var(--muted); text-decoration: none; }
.top nav a:hover { color: var(--text); background: var(--sunken); }
.top nav a[aria-current] { color: var(--text); background: var(--sunken); font-weight: 560; }
.live { margin-left: auto; font-size: 0.8rem; color: var(--muted); }
.live::before { content: ""; display: inline-block; width: 0.5rem; height: 0.5rem; margin-right: 0.4rem; border-radius: 50%; border: 1.5px solid currentColor; }
.live.on::before { background: light-dark(#2f9350, #3fa663); border-color: transparent; }
main { padding: 1.25rem clamp(0.9rem, 2.5vw, 2rem) 2rem; max-width: 100rem; margin: 0 auto; }
footer { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; padding: 1rem clamp(0.9rem, 2.5vw, 2rem) 2rem; max-width: 100rem; margin: 0 auto; border-top: 1px solid var(--rule); overflow-wrap: anywhere; }

.symbol { flex: none; fill: none; color: var(--ink); vertical-align: -0.15em; }
.symbol .line, symbol .line { fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
symbol .fill { fill: currentColor; }
.badge { display: inline-flex; align-items: center; gap: 0.3rem; padding: 0.05rem 0.5rem 0.05rem 0.35rem; border-radius: 999px; background: var(--ground); color: var(--ink); font-size: 0.82rem; font-weight: 560; white-space: nowrap; }
.chip { display: inline-block; padding: 0 0.4rem; border: 1px solid var(--rule); border-radius: 4px; font-size: 0.78rem; color: var(--muted); background: var(--panel); overflow-wrap: anywhere; }
.crumbs { margin: 0 0 0.25rem; overflow-wrap: anywhere; }
.id-line { margin: 0 0 0.75rem; }

.states { margin: 0.75rem 0; }
.states a { display: inline-flex; align-items: center; gap: 0.4rem; padding: 0.2rem 0.55rem 0.2rem 0.3rem; border: 1px solid transparent; border-radius: 999px; color: var(--text); text-decoration: none; font-size: 0.84rem; font-variant-numeric: tabular-nums; min-height: 2rem; }
.states li:first-child a { padding-left: 0.7rem; }
.states a:hover { border-color: var(--strong-rule); }
.states a[aria-current] { border-color: var(--text); background: var(--panel); }
.filter { display: flex; flex-wrap: wrap; align-items: end; gap: 0.5rem 0.75rem; margin: 0 0 1rem; padding: 0.75rem; background: var(--sunken); border-radius: 8px; }
.filter label { display: grid; gap: 0.15rem; font-size: 0.78rem; color: var(--muted); }
.filter .check { display: flex; gap: 0.3rem; align-items: center; min-height: 2rem; }
.filter select { max-width: 11rem; }
input, select, button { font: inherit; font-size: 0.88rem; color: var(--text); background: var(--panel); border: 1px solid var(--strong-rule); border-radius: 6px; padding: 0.3rem 0.5rem; min-height: 2.1rem; max-width: 100%; }
button { padding-inline: 0.9rem; font-weight: 560; cursor: pointer; }
.clear { font-size: 0.84rem; padding: 0.4rem 0; }

.scroll { --behind: var(--page); position: relative; overflow: auto; max-width: 100%; border-radius: 8px; background:
  linear-gradient(to right, var(--behind), transparent) left / 2.5rem 100% no-repeat local,
  linear-gradient(to left, var(--behind), transparent) right / 2.5rem 100% no-repeat local,
  linear-gradient(to right, var(--edge), transparent) left / 0.9rem 100% no-repeat scroll,
  linear-gradient(to left, var(--edge), transparent) right / 0.9rem 100% no-repeat scroll,
  var(--behind); }
table { border-collapse: collapse; width: 100%; }
.rows th, .rows td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem; border-bottom: 1px solid var(--rule); font-weight: inherit; }
.rows tbody tr:last-child > * { border-bottom: none; }
.rows thead th { font-size: 0.78rem; font-weight: 560; color: var(--muted); white-space: nowrap; padding-block: 0.35rem; }
.rows tbody th { overflow-wrap: anywhere; min-width: 9rem; }
.rows tbody th > a { font-weight: 560; }
.rows tbody tr:hover { background: color-mix(in srgb, var(--text) 3%, transparent); }
.rows .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.rows .when { white-space: nowrap; font-variant-numeric: tabular-nums; }
.rows td:first-child, .rows th:first-child { padding-left: 0.25rem; }
.main-cell { width: 99%; overflow-wrap: anywhere; }
.main-cell > a { font-weight: 560; text-decoration: none; }
.main-cell > a:hover { text-decoration: underline; }
.main-cell .id { font-weight: 400; color: var(--muted); margin-left: 0.3rem; }
.why { font-size: 0.84rem; color: var(--muted); margin: 0.15rem 0 0; }
.why.bad { font-weight: 400; color: light-dark(#ab2117, #ff9f96); }
.pager { display: flex; gap: 1.25rem; margin-top: 1rem; }
.sample-cell { min-width: 12rem; }
.sample-fact { display: inline-block; min-width: 14rem; }
.sample { display: block; margin: 0.45rem 0 0.2rem; border-radius: 4px; background: var(--sunken); }
.rows .spread { min-width: 8rem; width: 40%; vertical-align: middle; }
#run-events { --behind: var(--panel); max-height: 26rem; border: 1px solid var(--rule); }
#run-events td, #run-events th { padding-block: 0.25rem; font-size: 0.86rem; }
#run-events td:nth-child(3) { white-space: nowrap; }
#run-events td:last-child { width: 99%; min-width: 12rem; overflow-wrap: anywhere; }
#run-events code { overflow-wrap: normal; white-space: nowrap; }
#run-events thead th { position: sticky; top: 0; background: var(--panel); }
progress { width: 6rem; height: 0.5rem; appearance: none; border: none; border-radius: 4px; background: var(--rule); overflow: hidden; accent-color: var(--link); }
progress::-webkit-progress-bar { background: var(--rule); }
progress::-webkit-progress-value { background: light-dark(#2f78dc, #5291ee); }
progress::-moz-progress-bar { background: light-dark(#2f78dc, #5291ee); }

.facts { display: flex; flex-wrap: wrap; gap: 0.6rem 2.2rem; margin: 0.75rem 0; }
.facts div { min-width: 0; }
.facts dt { font-size: 0.78rem; color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.run-link { display: inline-flex; flex-wrap: wrap; gap: 0.2rem 0.5rem; align-items: center; margin-right: 1rem; }
.why-box { margin-top: 1rem; padding: 0.7rem 0.9rem; background: var(--panel); border: 1px solid var(--rule); border-left: 3px solid var(--strong-rule); border-radius: 6px; overflow-wrap: anywhere; }
.why-box p { margin: 0; }
.error { margin: 0.6rem 0; padding: 0.6rem 0.9rem; border: 1px solid light-dark(#f1c5c1, #5a2724); border-left-width: 3px; border-left-color: light-dark(#d4453a, #e2635a); border-radius: 6px; background: light-dark(#fef6f5, #231616); overflow-wrap: anywhere; }
.error > p { margin: 0; white-space: pre-wrap; }
.error summary { font-size: 0.84rem; color: var(--muted); cursor: pointer; width: fit-content; margin-top: 0.3rem; }
.cause { margin-top: 0.5rem; }
pre { margin: 0.3rem 0; padding: 0.7rem 0.9rem; max-height: 24rem; overflow: auto; background: var(--sunken); border-radius: 6px; line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere; }

#graph-view { --behind: var(--panel); border: 1px solid var(--rule); max-height: min(80vh, 46rem); }
.graph { display: block; margin: 0 auto; }
.graph .edges { fill: none; stroke: var(--strong-rule); stroke-width: 1.3; }
.graph .heads { fill: light-dark(#9aa1ab, #6b737d); }
.graph .box { text-decoration: none; outline: none; }
.graph .face, .graph .behind { fill: var(--panel); stroke: var(--strong-rule); stroke-width: 1.2; }
.graph .box[class*="s-"] :is(.face, .behind) { fill: var(--ground); stroke: var(--bar); }
.graph .s-pending .face, .graph .s-skipped .face { stroke-dasharray: 4 3; }
.graph .box:hover .face { stroke-width: 2; }
.graph .box:focus-visible .face { stroke: var(--link); stroke-width: 3; stroke-dasharray: none; }
.graph text { fill: var(--text); }
.graph .name { font-size: 12px; }
.graph .small, .graph .mark { font-size: 11px; fill: var(--muted); }
.graph .mark { paint-order: stroke; stroke: var(--panel); stroke-width: 4px; }
.graph .small { fill: color-mix(in srgb, var(--text) 78%, var(--ground, var(--panel))); }
.graph .done { fill: var(--bar); }

.tally { margin-bottom: 0.6rem; }
.tally a { text-decoration: none; }
.tally a:hover .badge { text-decoration: underline; }
.tasks { position: relative; border: 1px solid var(--rule); border-radius: 8px; background: var(--panel); overflow: hidden; padding-top: 1.4rem; }
.axis-row { position: absolute; inset: 0; pointer-events: none; }
.axis-row, .task > summary { display: grid; grid-template-columns: minmax(9rem, 17rem) minmax(0, 1fr) 10rem; gap: 0 1rem; padding: 0 0.9rem; }
.axis-row { padding-top: 0.3rem; }
.axis, .bars { display: block; overflow: visible; }
.axis text { font-size: 11px; fill: var(--muted); font-variant-numeric: tabular-nums; }
.axis .tick { stroke: var(--rule); }
.axis .break { fill: var(--sunken); }
.task { position: relative; border-top: 1px solid var(--rule); }
.task > summary { align-items: center; min-height: 2.15rem; cursor: pointer; list-style: none; }
.dense .task > summary { min-height: 1.6rem; }
.dense .task { border-top-color: transparent; }
.task > summary::-webkit-details-marker { display: none; }
.task > summary:hover { background: color-mix(in srgb, var(--text) 4%, transparent); }
.task > summary:focus-visible { outline-offset: -2px; }
.task[open] > summary { background: var(--sunken); }
.task-name { display: flex; gap: 0.5rem; align-items: center; min-width: 0; }
.task-name code { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.task-end { text-align: right; font-size: 0.82rem; color: var(--muted); font-variant-numeric: tabular-nums; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.task-end strong { color: light-dark(#ab2117, #ff9f96); font-weight: 600; }
.task-body { position: relative; background: var(--panel); border-top: 1px solid var(--rule); padding: 0.6rem 0.9rem 1rem; scroll-margin-top: 3.5rem; overflow-wrap: anywhere; }
.actions { display: flex; flex-wrap: wrap; gap: 0.4rem; list-style: none; padding: 0; margin: 0.5rem 0; }
.actions a { display: inline-block; padding: 0.15rem 0.7rem; border: 1px solid var(--strong-rule); border-radius: 6px; background: var(--panel); text-decoration: none; }
.actions a:hover { border-color: var(--link); }
.more > summary { padding: 0.5rem 0.9rem; cursor: pointer; color: var(--link); font-size: 0.88rem; }
.steps summary { cursor: pointer; width: fit-content; }
.attempts, .steps { display: grid; gap: 0.5rem; padding-left: 1.4rem; list-style: decimal; }
.item-bar { display: block; margin: 0.6rem 0; border-radius: 5px; background: var(--rule); }
.item-bar rect { fill: var(--bar); }
.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(4.6rem, 1fr)); gap: 0.3rem; margin: 0.5rem 0; }
a.item, .item > summary { display: flex; gap: 0.3rem; align-items: center; padding: 0.1rem 0.45rem; min-height: 1.7rem; border-radius: 5px; background: var(--ground); color: var(--ink); font-size: 0.8rem; font-variant-numeric: tabular-nums; text-decoration: none; cursor: pointer; list-style: none; overflow: hidden; }
.item > summary::-webkit-details-marker { display: none; }
a.item:hover, .item > summary:hover { outline: 1px solid var(--bar); }
.item[open] { grid-column: 1 / -1; border: 1px solid var(--bar); border-radius: 5px; }
.item-body { padding: 0.4rem 0.9rem 0.9rem; background: var(--panel); color: var(--text); border-radius: 0 0 5px 5px; overflow-wrap: anywhere; }
.tally a[aria-current] .badge { outline: 1px solid currentColor; }
.bars rect { fill: var(--bar); stroke: var(--bar); stroke-width: 1; }
.bars .wait { stroke-width: 2; stroke: light-dark(#7d8590, #7d8590); stroke-dasharray: 1 3; }
.bars .retry { stroke: light-dark(#b5760f, #c98f2e); stroke-dasharray: 5 3; }
.bars .tail { fill: var(--strong-rule); stroke: none; }
.bars .half { fill: light-dark(#2f78dc, #5291ee); stroke: none; }
.sample rect { fill: var(--bar); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.2rem; }
.outcomes { margin: 0; padding: 0.6rem 0.9rem; border: 1px solid var(--rule); border-radius: 8px; background: var(--panel); }
.outcomes figcaption { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; justify-content: space-between; }
.outcomes h3, .outcomes p { margin: 0; }
.outcomes svg { display: block; border-top: 1px dashed var(--rule); margin-bottom: 0.2rem; }
.outcomes rect { fill: var(--bar); }
.outcomes .ground { stroke: var(--strong-rule); }
.outcomes .ends { display: flex; justify-content: space-between; font-variant-numeric: tabular-nums; }

@media (min-width: 701px) {
  .filter [type="datetime-local"] { width: 12.5rem; }
  .filter [type="search"] { width: 11rem; }
}
@media (max-width: 700px) {
  .axis-row, .task > summary { grid-template-columns: minmax(0, 1fr) auto; }
  .axis-row > span { display: none; }
  .axis { grid-column: 1 / -1; }
  .task > summary { padding-block: 0.4rem; }
  .task > summary .bars { grid-column: 1 / -1; grid-row: 2; }
  .top { position: relative; }
  .live { position: absolute; right: 0.9rem; top: 0.7rem; }
  .wide { display: none; }
  .top nav a { padding-inline: 0.4rem; font-size: 0.9rem; }
  .rows th, .rows td { padding-inline: 0.35rem; font-size: 0.88rem; }
  #runs .id { display: block; margin: 0; max-width: 6.5rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  #runs .number, #runs .when { font-size: 0.78rem; }
  #runs .number .note { display: inline-block; max-width: 4rem; white-space: normal; }
  #runs .badge { padding-right: 0.35rem; font-size: 0; gap: 0; }
  .filter label { flex: 1 1 8rem; min-width: 0; }
  .filter :is(input:not([type="checkbox"]), select) { width: 100%; min-width: 0; }
}
@media (prefers-reduced-motion: no-preference) {
  .bars rect.s-running { animation: breathe 2s ease-in-out infinite alternate; }
  @keyframes breathe { to { opacity: 0.55; } }
}
@media print { .top nav, .filter, .live, .skip { display: none; } .scroll, pre { max-height: none !important; overflow: visible; } }
@media (forced-colors: active) { .bars rect, .sample rect, .item-bar rect, .outcomes rect { fill: CanvasText; stroke: CanvasText; } }
`;
