// Items that are not asked are put away, and what is typed is kept as a draft every few seconds.
// Without this script every item says when it is asked, and the draft is saved by its button.

const form = document.getElementById("form-entry");
const items = [...form.querySelectorAll(".form-item")];
const said = document.getElementById("saved");
const revision = form.elements["form-revision"];
const token = form.elements.csrfmiddlewaretoken;
const PAUSE = 1500;
const AGAIN = 10000;
const NOT_YET = "Not saved yet";

function answerOf(item) {
  const { item: name, type } = item.dataset;
  if (item.hidden) return null;
  const inputs = [...form.querySelectorAll(`[name="${name}"]`)];
  if (type === "multi_choice") {
    const chosen = inputs.filter((input) => input.checked).map((input) => input.value);
    return chosen.length ? chosen : null;
  }
  const picked = type === "yes_no" ? inputs.find((input) => input.checked) : inputs[0];
  const text = picked ? picked.value.trim() : "";
  if (!text) return null;
  if (type === "yes_no") return text === "yes";
  if (type === "integer" || type === "decimal") {
    const number = Number(text.replace(",", "."));
    return Number.isNaN(number) ? null : number;
  }
  return text;
}

// Yes, no, or null where it can't be told: the logic of the server.
function holds(condition, answers) {
  const of = () => condition.of.map((one) => holds(one, answers));
  switch (condition.op) {
    case "not": {
      const inner = holds(condition.of, answers);
      return inner === null ? null : !inner;
    }
    case "all":
      return of().includes(false) ? false : of().includes(null) ? null : true;
    case "any":
      return of().includes(true) ? true : of().includes(null) ? null : false;
    case "at_least": {
      const truths = of();
      if (truths.filter((one) => one === true).length >= condition.n) return true;
      return truths.filter((one) => one !== false).length < condition.n ? false : null;
    }
  }
  const answer = answers.get(condition.var);
  if (answer === null || answer === undefined) return null;
  switch (condition.op) {
    case "eq":
      return answer === condition.value;
    case "in":
      return condition.value.includes(answer);
    case "in_any":
      return answer.some((one) => condition.value.includes(one));
    case "gt":
      return answer > condition.value;
    case "ge":
      return answer >= condition.value;
    case "lt":
      return answer < condition.value;
    case "le":
      return answer <= condition.value;
    case "between":
      return condition.low <= answer && answer <= condition.high;
  }
  return null;
}

function isFilled(item) {
  const inputs = [...item.querySelectorAll("input, select, textarea")];
  return inputs.some((input) =>
    input.type === "radio" || input.type === "checkbox" ? input.checked && input.value : input.value,
  );
}

function put() {
  const answers = new Map();
  for (const item of items) {
    const { condition } = item.dataset;
    const isAsked = !condition || holds(JSON.parse(condition), answers) === true;
    // What was typed is never hidden from who has to empty it.
    item.hidden = !isAsked && !isFilled(item);
    if (isAsked) answers.set(item.dataset.item, answerOf(item));
  }
}

let timer = 0;
let isSaving = false;
// Whether something is typed that is not kept.
let isChanged = false;
// The button that was pressed while a draft was on its way.
let waiting = null;

// Who logs in again, in another tab, has a new token; the one of the page is refused from then on.
function takeToken() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  if (cookie) token.value = cookie[1];
}

async function save() {
  if (isSaving) return;
  isSaving = true;
  isChanged = false;
  said.textContent = "Saving the draft …";
  const again = await kept();
  isSaving = false;
  if (waiting) form.requestSubmit(waiting);
  else if (again || (again === 0 && isChanged)) later(again || PAUSE);
  isChanged ||= again !== 0;
}

// How long to wait until the draft is sent again; 0 once it is kept, null once it is refused.
async function kept() {
  let answer;
  takeToken();
  try {
    answer = await fetch(form.dataset.draft, { method: "POST", body: new FormData(form) });
  } catch {
    said.textContent = "No connection: the draft is not saved yet, it is tried again.";
    return AGAIN;
  }
  if (answer.ok && !answer.redirected) {
    const { revision: number, saved_at: at } = await answer.json();
    revision.value = number;
    said.textContent = isChanged ? NOT_YET : `Draft saved ${at.slice(11, 19)} UTC`;
    return 0;
  }
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  if (isJson && [403, 409, 422].includes(answer.status)) {
    const { message, code } = await answer.json();
    const compare = code === "changed-meanwhile" ? " Press “Save the draft” to compare." : "";
    said.textContent = `The draft is not saved. ${message}${compare}`;
    // What is typed next may mend what is wrong with the page, and nothing else.
    if (answer.status !== 422) form.removeAttribute("data-draft");
    return null;
  }
  said.textContent =
    answer.status >= 500
      ? "The draft is not saved yet: something went wrong on our side, it is tried again."
      : "The draft is not saved: log in again in another tab, then go on here.";
  return AGAIN;
}

function later(pause = PAUSE) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (form.dataset.draft) save();
  }, pause);
}

form.addEventListener("input", () => {
  put();
  isChanged = true;
  if (!form.dataset.draft) return;
  // What was saved is not what stands there any more; a refusal stays to be read.
  if (/^(|Draft saved .*)$/.test(said.textContent.trim())) said.textContent = NOT_YET;
  later();
});
// A draft that is still on its way would count as somebody else's.
form.addEventListener("submit", (event) => {
  clearTimeout(timer);
  if (isSaving) {
    event.preventDefault();
    waiting = event.submitter;
    return;
  }
  takeToken();
  isChanged = false;
  form.removeAttribute("data-draft");
});
window.addEventListener("beforeunload", (event) => {
  if (isChanged) event.preventDefault();
});
document.getElementById("form-errors")?.focus();
put();
