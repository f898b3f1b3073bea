// Package route is how a package of web declares what it serves: every route
// comes with who may call it, which data it touches and who owns it. It
// promises that no route exists without these facts.
//
// Neighbours: each package below web returns its routes; web mounts them on
// the one mux and "mandate routes" prints them. It serves nothing itself.
package route
