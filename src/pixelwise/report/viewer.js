// Opens a picture of the page over it: two of an example's pictures with a slider between them,
// zoom to single pixels, next and previous. Without scripts the page shows the same, smaller.
(() => {
  const examples = [...document.querySelectorAll(".example")].map((article) => ({
    name: article.querySelector(".file").textContent,
    kind: article.querySelector(".kind").textContent,
    score: article.querySelector(".score")?.textContent ?? "",
    pictures: [...article.querySelectorAll("img")],
  }));
  if (!examples.length) return;

  const make = (tag, attributes = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  };
  const below = make("img", { alt: "", draggable: false });
  const above = make("img", { alt: "", draggable: false });
  const edge = make("i");
  const canvas = make("div", { className: "canvas" }, below, above);
  const stage = make("div", { className: "stage" }, canvas, edge);
  const title = make("p");
  const slider = make("input", { type: "range", min: 0, max: 100, ariaLabel: "Where the second picture begins" });
  const choice = (label) => make("select", { ariaLabel: label });
  const [first, second] = [choice("Picture on the left"), choice("Picture on the right")];
  const button = (text, label, action) =>
    make("button", { type: "button", textContent: text, ariaLabel: label, title: label, onclick: action });
  const dialog = make(
    "dialog",
    { className: "viewer" },
    make("header", {}, title, button("×", "Close (Escape)", () => dialog.close())),
    stage,
    make(
      "footer", {},
      button("←", "Previous (left arrow)", () => open(number - 1)),
      first, slider, second,
      button("−", "Smaller (-)", () => zoom(1 / 1.5)),
      button("+", "Larger (+)", () => zoom(1.5)),
      button("→", "Next (right arrow)", () => open(number + 1)),
    ),
  );
  document.body.append(dialog);

  let number = 0, scale = 1, left = 0, top = 0; // of the example shown; place in the stage, pixels
  const labels = (example) => example.pictures.map((one) => one.closest("figure").querySelector("figcaption").textContent);

  const place = () => {
    const own = below.naturalWidth || 1;
    const pixels = (below.clientWidth * scale) / own; // of the screen, for one of the picture
    canvas.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    canvas.classList.toggle("pixels", pixels >= 2.5);
    const cut = (slider.value / 100) * stage.clientWidth; // in the stage, however far it is zoomed
    above.style.clipPath = `inset(0 0 0 ${(cut - left) / scale}px)`;
    edge.style.left = `${cut}px`;
    edge.hidden = slider.value === "0" || slider.value === "100";
  };
  const show = () => {
    const { pictures } = examples[number];
    below.src = pictures[first.selectedIndex].src;
    above.src = pictures[second.selectedIndex].src;
    place();
  };
  const zoom = (factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const next = Math.min(64, Math.max(1, scale * factor));
    left = next === 1 ? 0 : x - ((x - left) * next) / scale;
    top = next === 1 ? 0 : y - ((y - top) * next) / scale;
    scale = next;
    place();
  };
  const open = (wanted, picture) => {
    const others = second.selectedIndex;
    number = (wanted + examples.length) % examples.length;
    const example = examples[number];
    title.textContent = `${number + 1} of ${examples.length}: ${example.kind}, ${example.name} ${example.score}`;
    for (const one of [first, second]) {
      const kept = one.selectedIndex;
      one.replaceChildren(...labels(example).map((text) => make("option", { textContent: text })));
      one.selectedIndex = kept < 0 ? 0 : Math.min(kept, example.pictures.length - 1);
    }
    second.selectedIndex = picture ?? (others < 0 ? example.pictures.length - 1 : others);
    if (!dialog.open) {
      slider.value = picture === undefined ? 50 : 0;
      dialog.showModal();
    }
    [scale, left, top] = [1, 0, 0];
    show();
  };

  examples.forEach((example, index) =>
    example.pictures.forEach((image, picture) => {
      image.tabIndex = 0;
      image.role = "button";
      image.title = "Enlarge";
      image.onclick = () => open(index, picture);
      image.onkeydown = (event) => event.key === "Enter" && open(index, picture);
    }),
  );
  slider.oninput = place;
  window.addEventListener("resize", place);
  first.onchange = second.onchange = show;
  below.onload = place;
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.25 : 1 / 1.25, event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  stage.ondblclick = (event) => {
    const box = stage.getBoundingClientRect();
    zoom(scale > 1 ? 1 / 64 : 4, event.clientX - box.left, event.clientY - box.top);
  };
  stage.onpointerdown = (event) => stage.setPointerCapture(event.pointerId);
  stage.onpointermove = (event) => {
    if (!event.buttons || scale === 1) return;
    left += event.movementX;
    top += event.movementY;
    place();
  };
  dialog.addEventListener("keydown", (event) => {
    if (event.target.matches("select")) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const picture = Number(event.key) - 1;
    if (step && event.target !== slider) open(number + step);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (picture >= 0 && picture < examples[number].pictures.length) {
      second.selectedIndex = picture;
      slider.value = 0;
      show();
    } else return;
    event.preventDefault();
  });
})();
