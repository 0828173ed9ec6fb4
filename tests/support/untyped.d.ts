// Packages that bring no types.
declare module "flying-squid";
