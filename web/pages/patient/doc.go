// Package patient shows people what concerns their own record and what they
// allowed: the start page, connected apps, who looked, and who has access.
//
// Neighbours: oauth.Connections lists and ends grants, audit tells what
// happened, proxy and consent say who has access; web/pages renders. It owns
// no rule about who may see what.
package patient
