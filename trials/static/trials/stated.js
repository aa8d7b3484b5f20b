// What the images say can be taken over by a button; without this script it is read in the hint.
for (const input of document.querySelectorAll("[data-stated]")) {
  const take = document.createElement("button");
  take.type = "button";
  take.className = "btn btn-sm mt-1";
  take.textContent = "Take it from the images";
  const label = document.querySelector(`label[for="${input.id}"]`);
  take.setAttribute("aria-label", `${take.textContent}: ${label.firstChild.textContent.trim()}`);
  const show = () => {
    const { value, dataset: { stated } } = input;
    take.hidden = value === stated || (input.type === "number" && Number(value) === Number(stated));
  };
  take.addEventListener("click", () => {
    input.value = input.dataset.stated;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  });
  input.addEventListener("input", show);
  input.after(take);
  show();
}
