/** The icon of the site's pages, as an address. */
export const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Crect width='8' height='8' rx='1.5' fill='%23221a3a'/%3E%3Cpath d='M1.5 1.5h2v2h-2zM1.5 4.5h2v2h-2zM4.5 1.5h2v2h-2z' fill='%23b9a8ff'/%3E%3Cpath d='M4.5 4.5h2v2h-2z' fill='%23ff8a4c'/%3E%3C/svg%3E";
