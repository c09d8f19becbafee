import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/controls.css";
import "./styles/search.css";
import "./styles/product.css";
import "./styles/pages.css";
import "./styles/charts.css";
import { App } from "./app";
import { loadConfig } from "./config";
import { t } from "./strings";
import { startTheme } from "./theme";

document.documentElement.lang = t.language;
startTheme();
new App(await loadConfig()).start();
