// The minutes since the injection go on; without this script they are those of the page.
for (const shown of document.querySelectorAll("[data-uptake-since]")) {
  const ahead = Date.parse(shown.dataset.now) - Date.now();
  const since = Date.parse(shown.dataset.uptakeSince);
  const tell = () => {
    shown.textContent = ((Date.now() + ahead - since) / 60000).toFixed(1);
  };
  tell();
  setInterval(tell, 6000);
}
