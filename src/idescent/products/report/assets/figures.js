// Figures: the full size in a dialog, so that the page can be moved without its folder, and every figure on paper.
const viewer = document.createElement("dialog");
viewer.className = "viewer";
viewer.innerHTML = '<form method="dialog"><h2></h2><button>Close</button></form><div class="scroll" tabindex="0"></div>';
document.body.append(viewer);

document.addEventListener("click", event => {
  const link = event.target.closest("a.full");
  // With a modifier key the browser opens the file beside the page.
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const image = link.querySelector("img");
  viewer.querySelector("h2").textContent = link.closest("figure").querySelector("h3").firstChild.textContent.trim();
  viewer.setAttribute("aria-label", image.alt);
  const frame = viewer.querySelector(".scroll");
  frame.classList.toggle("as-drawn", image.closest(".as-drawn") !== null);
  frame.replaceChildren(image.cloneNode());
  viewer.showModal();
});
// A click beside the dialog closes it.
viewer.addEventListener("click", event => event.target === viewer && viewer.close());

// Pictures below the screen are drawn when the browser has time, and before printing at the latest.
const drawAll = () => document.querySelectorAll("img[loading]").forEach(image => image.removeAttribute("loading"));
window.addEventListener("load", () => (window.requestIdleCallback || setTimeout)(drawAll));
let unfolded = [];
window.addEventListener("beforeprint", () => {
  drawAll();
  unfolded = [...document.querySelectorAll("details:not([open])")].filter(part => part.querySelector("figure, canvas"));
  unfolded.forEach(part => { part.open = true; });
});
window.addEventListener("afterprint", () => unfolded.forEach(part => { part.open = false; }));
