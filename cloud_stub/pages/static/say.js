// The words of a page: one file for each subject and language, `<subject>.<language>.js`.

import { h } from "./dom.js";

/** The words of a subject, such as "phone-words"; in the page's language where no other is named. */
export const words = async (subject, language = document.documentElement.lang) =>
  (await import(`./${subject}.${language}.js`)).default;

/** The button to the page's other language, {language, name}. The choice is remembered, then switched(language) called. */
export const languageButton = ({ language, name }, switched) =>
  h(
    "button.button.language",
    {
      lang: language,
      onclick: () => {
        document.cookie = `language=${language}; path=/; max-age=31536000; samesite=lax`;
        switched(language);
      }
    },
    name
  );
