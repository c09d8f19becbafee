import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/controls.css";
import "./styles/product.css";
import { loadConfig } from "./config";
import { Portal } from "./portal";
import { t } from "./strings";

document.documentElement.lang = t.language;
const config = await loadConfig();
document.title = `${t.site.title} – ${config.title ?? t.site.name}`;
await new Portal(config).start();
