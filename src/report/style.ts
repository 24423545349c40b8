/** The look of the page: light and dark, paper, and the width of a phone. */
import { colourRules } from './palette.js';

export const STYLE = `${colourRules(':root')}
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:1.5rem clamp(1rem,4vw,2.5rem) 4rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.8rem 0 .3rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .2rem;overflow-wrap:anywhere}
p{margin:.4rem 0}
.kicker,.lead,.note,figcaption,caption{color:var(--soft)}
.kicker{font-size:.9rem;margin:0}
.headline{font-size:1.15rem;font-weight:600;margin:.6rem 0 1rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0;padding:0;list-style:none}
.figures li{background:var(--card);border-radius:.6rem;padding:.8rem 1rem;border-left:4px solid var(--soft)}
.figures .gain{border-color:var(--gain)}.figures .loss{border-color:var(--loss)}
.figures b{display:block;font-size:1.6rem;line-height:1.2;font-variant-numeric:tabular-nums}
.figures .gain b{color:var(--gain)}.figures .loss b{color:var(--loss)}
.figures span{font-size:.88rem;color:var(--soft)}
.two{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
.two section,.warnings{background:var(--card);border-radius:.6rem;padding:.8rem 1.1rem}
.two h2,.warnings h2{font-size:1rem;margin:0;padding:0;border:0}
.two ul,.warnings ul{margin:.4rem 0;padding-left:1.1rem}
.two li,.warnings li{margin:.2rem 0}
.gained h2{color:var(--gain)}.lost h2,.warnings h2{color:var(--loss)}
.warnings{margin-top:1rem}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;list-style:none;padding:0;margin:1.2rem 0 0}
a{color:var(--c5)}
.charts{display:grid;gap:1.6rem;margin:1rem 0}
figure{margin:0;break-inside:avoid}
figcaption{font-size:.88rem;margin-bottom:.4rem}
figure svg{display:block;max-width:100%;height:auto}
.narrow{display:none}
details{margin:.8rem 0}
summary{cursor:pointer;color:var(--c5)}
.scroll{overflow-x:auto;margin:.8rem 0}
.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:3px solid var(--c5);outline-offset:2px}
table{border-collapse:collapse;font-size:.86rem;min-width:100%}
caption{text-align:left;padding:.2rem 0 .4rem}
th,td{padding:.28rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;white-space:nowrap}
td{max-width:28rem;overflow-wrap:break-word}
td:first-child{white-space:nowrap}td:last-child{min-width:9rem}
.right{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.won{color:var(--gain)}.lostcell{color:var(--loss)}
.noisy::after{content:" !";color:var(--loss);font-weight:700}
.note{font-size:.9rem}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.8rem;font-size:.88rem;color:var(--soft)}
@media (max-width:40rem){.two{grid-template-columns:1fr}.wide{display:none}.narrow{display:block}h1{font-size:1.35rem}}
@media print{body{max-width:none;padding:0;font-size:10pt}.wide{display:block}.narrow{display:none}nav{display:none}
.scroll{overflow:visible}table{font-size:7.5pt}th{white-space:normal}th,td{padding:.15rem .3rem}
.figures li,.two section,.warnings{border:1px solid var(--line)}h2{break-after:avoid}tr{break-inside:avoid}a{color:inherit}}
`;
