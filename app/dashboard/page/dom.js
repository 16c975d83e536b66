// A page is drawn anew on each state; only what differs is changed in the document. So a selection,
// a focus and a scroll position stay where they are while numbers change around them.
//
// Texts come from the internet: children become text nodes, and nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

// h describes an element. Props: "class" and other attributes by their names; "on..." a handler;
// "key" tells children of one parent apart; "value" and "checked" set the property. mount(element)
// is called once, update(element) after each drawing, unmount(element) at its removal. The children
// of an element with "opaque" belong to its mount.
export function h(tag, props, ...children) {
  return { tag, props: props ?? {}, children: children.flat(Infinity).filter(isShown), key: props?.key };
}

const isShown = (child) => child !== null && child !== undefined && child !== false && child !== "";
const hooks = new Set(["key", "mount", "update", "unmount", "opaque", "checked"]);

// patch makes the children of parent those that are described.
export function patch(parent, children) {
  const nodes = match(parent, children);
  const kept = new Set(nodes);
  for (const old of [...parent.childNodes]) if (!kept.has(old)) remove(old);
  let at = parent.firstChild;
  nodes.forEach((node, i) => {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
    apply(node, children[i]);
  });
}

// match finds for each child the node that shows it already, by key or else by place, or makes one.
function match(parent, children) {
  const keyed = new Map(), loose = [];
  for (const node of parent.childNodes) node.drawnKey === undefined ? loose.push(node) : keyed.set(node.drawnKey, node);
  let next = 0;
  return children.map((child) => {
    const old = child.key === undefined ? loose[next++] : keyed.get(child.key);
    keyed.delete(child.key);
    return old && isSame(old, child) ? old : create(parent, child);
  });
}

function isSame(node, child) {
  return child.tag ? node.nodeType === Node.ELEMENT_NODE && node.localName === child.tag : node.nodeType === Node.TEXT_NODE;
}

function create(parent, child) {
  if (!child.tag) return document.createTextNode(String(child));
  const inSVG = child.tag === "svg" || (parent.namespaceURI === SVG && parent.localName !== "foreignObject");
  const node = inSVG ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
  node.drawnKey = child.key;
  node.isNew = true;
  return node;
}

function apply(node, child) {
  if (!child.tag) {
    if (node.data !== String(child)) node.data = String(child);
    return;
  }
  attributes(node, child.props);
  if (!child.props.opaque) patch(node, child.children);
  for (const name of ["value", "checked"]) {
    if (name in child.props && node[name] !== child.props[name]) node[name] = child.props[name];
  }
  if (node.isNew) {
    node.isNew = false;
    node.unmount = child.props.unmount;
    if (node.unmount) node.setAttribute("data-live", "");
    child.props.mount?.(node);
  }
  child.props.update?.(node);
}

function attributes(node, props) {
  const before = node.drawnProps ?? {};
  for (const name of Object.keys(before)) if (!(name in props)) set(node, name, null);
  for (const [name, value] of Object.entries(props)) {
    if (!hooks.has(name) && before[name] !== value) set(node, name, value);
  }
  node.drawnProps = props;
}

function set(node, name, value) {
  if (hooks.has(name)) return;
  if (name.startsWith("on")) node[name] = value;
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}

function remove(node) {
  if (node.nodeType === Node.ELEMENT_NODE) {
    for (const live of node.querySelectorAll("[data-live]")) live.unmount?.(live);
    node.unmount?.(node);
  }
  node.remove();
}

// untrusted shows a text that anybody may have written: isolated, so that its direction changes
// nothing around it, and with its invisible characters made visible. A long one is cut, and opens.
export function untrusted(value, limit = 120) {
  const text = visible(typeof value === "string" ? value : JSON.stringify(value) ?? "");
  if (text === "") return h("span", { class: "none" }, "(empty)");
  if (text.length <= limit) return h("bdi", { class: text.length <= 24 ? "untrusted short" : "untrusted" }, text);
  const most = 10_000;
  const rest = text.length > most ? ` … and ${(text.length - most).toLocaleString("en")} characters more` : "";
  return h("details", { class: "untrusted long" },
    h("summary", null, h("bdi", null, text.slice(0, limit)), ` … (${text.length.toLocaleString("en")} characters)`),
    h("bdi", null, text.slice(0, most), rest));
}

// brief is untrusted without the rest of a long text: for links, which hold nothing to open.
export function brief(value, limit = 60) {
  const text = visible(String(value));
  return h("bdi", { class: text.length <= 24 ? "untrusted short" : "untrusted" }, text.length <= limit ? text : text.slice(0, limit) + "…");
}

// Controls, marks of direction, invisible joiners and separators: they could hide or turn around
// what a reader sees.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

export function visible(text) {
  return text.replace(INVISIBLE, (c) => "‹U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "›");
}
