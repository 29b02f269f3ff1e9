// The API's document in Swagger UI: nothing is fetched but from here, and a token is forgotten with the page.
"use strict";

const place = document.getElementById("api-docs");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: false, // its links would stand inside buttons
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  syntaxHighlight: false,
  supportedSubmitMethods: ["get", "post", "patch", "put", "delete"],
});

// What it draws lacks a label here and there; and what is wider than the screen must scroll by the keyboard.
new MutationObserver(() => {
  for (const field of place.querySelectorAll("textarea:not([aria-label])")) field.setAttribute("aria-label", "Request body");
  window.letScroll?.(); // of panel.js, which may come later, and then looks by itself
}).observe(place, { childList: true, subtree: true });
