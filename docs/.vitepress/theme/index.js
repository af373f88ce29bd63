// VitePress's own theme in bigrid's colours, with the system's fonts. Pictures of the pages follow the colours that the
// reader chose: browsers show an SVG in the scheme of the page around it.
import theme from "vitepress/theme-without-fonts";
import "./style.css";

export default theme;
