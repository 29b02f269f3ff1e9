// The API's document in Swagger UI: nothing is fetched but from here, and a token is forgotten with the page.
"use strict";

const place = document.getElementById("api-docs");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  syntaxHighlight: false,
  supportedSubmitMethods: ["get", "post", "patch", "put", "delete"],
});
