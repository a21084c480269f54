import { type Html, literal } from "./html.ts";

/** What the training page has besides the common style sheet: lines in six colours for colour-blind readers. */
export const trainingCss: Html = literal`
:root { --c0: #0b67a8; --c1: #b84f08; --c2: #0a7a58; --c3: #9a3d78; --c4: #6f6200; --c5: #3a5ccc; }
@media (prefers-color-scheme: dark) {
  :root { --c0: #5cb2f2; --c1: #f29a52; --c2: #3cc79a; --c3: #e593c3; --c4: #d8c341; --c5: #93a9ff; }
}
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); gap: 1rem; }
.panel {
  background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 0.875rem 1rem 1rem;
  break-inside: avoid;
}
.panel .legend { margin-top: 0.375rem; flex-direction: column; gap: 0.125rem; }
.panel .legend span { flex-wrap: wrap; }
.panel .legend .last { color: var(--ink); font-weight: 600; white-space: nowrap; }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.chart.line-key { width: 26px; flex: none; }
.colour-0 { stroke: var(--c0); } .colour-1 { stroke: var(--c1); } .colour-2 { stroke: var(--c2); }
.colour-3 { stroke: var(--c3); } .colour-4 { stroke: var(--c4); } .colour-5 { stroke: var(--c5); }
.dash-1 { stroke-dasharray: 6 4; } .dash-2 { stroke-dasharray: 2 3; } .dash-3 { stroke-dasharray: 9 3 2 3; }
.chart .spot { fill: var(--paper); stroke-width: 2; }
.chart .event { stroke: var(--soft); stroke-dasharray: 2 3; }
.chart .event-number { fill: var(--soft); font-size: 11px; }
.state { display: inline-block; border: 1px solid var(--soft); border-radius: 999px; padding: 0 0.625rem; color: var(--soft); font-size: 0.875rem; }
.state.running { border-color: var(--keep); color: var(--keep); }
.notes { padding-left: 1.5rem; }
.notes li { padding: 0.25rem 0; }
.data .whole { overflow-wrap: normal; }
.figures td, .figures th { white-space: nowrap; font-size: 0.8125rem; padding: 0.25rem 0.625rem; }
@media print { #figures { display: none; } }
`;
