// Data blocks of the page: zlib-compressed JSON as base64 text, decompressed when they are needed.
async function unpacked(element) {
  const text = atob(element.textContent.trim()), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

async function copyLink(fragment, output) {
  history.replaceState(null, "", fragment);
  let text = "copied";
  try { await navigator.clipboard.writeText(location.href); } catch { text = "not allowed here; copy the address bar instead"; }
  output.textContent = text;
}
