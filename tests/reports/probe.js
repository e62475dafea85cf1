// Added to a page by the tests: looks at it as a reader and as a screen reader would, and tells the frame around it.
const wrong = [];
addEventListener("error", (event) => wrong.push(event.message));
addEventListener("load", () => setTimeout(() => {
  const all = [...document.body.querySelectorAll("*")].filter((one) => !one.closest("svg") && !["SCRIPT", "STYLE", "OPTION"].includes(one.tagName));
  const hidden = (one) => !one.getClientRects().length || getComputedStyle(one).clipPath !== "none";
  const shown = all.filter((one) => !hidden(one));
  const text = (one) => [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent.trim()).join(" ").trim();
  const told = (one) => `${one.tagName.toLowerCase()} ${(one.textContent.trim() || one.id).slice(0, 40)}`;

  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const opaque = (one) => (channels(getComputedStyle(one).backgroundColor)[3] ?? 1) > 0.99;
  const ground = (one) => { while (one && !opaque(one)) one = one.parentElement; return one ? getComputedStyle(one).backgroundColor : "rgb(255, 255, 255)"; };
  const luminance = (colour) => channels(colour).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const contrast = (one) => {
    const [a, b] = [getComputedStyle(one).color, ground(one)].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const written = shown.filter(text);
  const scrolls = (one) => one.scrollWidth > one.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
  const charts = () => document.querySelectorAll(".uplot").length;
  const named = (one) => one.textContent.trim() || one.getAttribute("aria-label") || [...(one.labels ?? [])].some((label) => label.textContent.trim());

  const found = {
    width: innerWidth,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    broken: [...document.images].filter((one) => !one.complete || !one.naturalWidth).length,
    images: document.images.length,
    plots: document.querySelectorAll("main svg").length,
    requests: performance.getEntriesByType("resource").map((one) => one.name).filter((name) => !name.startsWith("data:")),
    texts: written.length,
    faint: written.filter((one) => contrast(one) < 4.5).map((one) => `${told(one)} ${contrast(one).toFixed(2)}`),
    tiny: written.filter((one) => parseFloat(getComputedStyle(one).fontSize) < 12).map(told),
    headings: [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1])),
    silent: [...document.images].filter((one) => one.alt.trim().length < 10).map(told),
    unnamed: shown.filter((one) => one.matches("a[href], select, input, button, [tabindex]") && !named(one)).map(told),
    unreachable: shown.filter((one) => scrolls(one) && one.tabIndex < 0).map(told),
    cut: shown.filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === "hidden").map(told),
    beside: written.filter((one) => { const box = one.getBoundingClientRect(); return !one.closest(".scroll") && (box.right > document.documentElement.clientWidth + 1 || box.left < -1); }).map(told),
  };
  // Last: another choice draws the charts anew.
  const drawn = charts(), selects = [...document.querySelectorAll(".explorer select")];
  for (const one of selects) { one.selectedIndex = one.options.length - 1; one.dispatchEvent(new Event("change")); }
  parent.postMessage({ ...found, charts: [drawn, charts(), selects.length], errors: wrong }, "*");
}, 0));
