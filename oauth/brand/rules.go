package brand

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The addresses of the profiles' extensions and code systems.
const (
	extBrand       = "http://hl7.org/fhir/StructureDefinition/organization-brand"
	extPortal      = "http://hl7.org/fhir/StructureDefinition/organization-portal"
	extFHIRVersion = "http://hl7.org/fhir/StructureDefinition/endpoint-fhir-version"
	extAbsent      = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
	systemCategory = "http://terminology.hl7.org/CodeSystem/organization-type"
	systemEarlier  = "http://hl7.org/fhir/smart-app-launch/CodeSystem/user-access-category"
	systemConnect  = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
	systemURL      = "urn:ietf:rfc:3986"
)

// Categories are the kinds of brand by which apps let people search: a provider,
// an insurer and so on, as codes of organization-type.
func Categories() []string {
	return []string{"prov", "ins", "laboratory", "imaging", "pharmacy", "health-information-network", "health-data-aggregator"}
}

// isCategory judges the code systems of the published guide and of its examples;
// others are the provider's own.
func isCategory(system, code string) bool {
	switch system {
	case systemCategory:
		others := []string{"dept", "team", "govt", "pay", "edu", "reli", "crs", "cg", "bus", "other"}
		return slices.Contains(Categories(), code) || slices.Contains(others, code)
	case systemEarlier:
		return slices.Contains([]string{"clinical", "insurance", "laboratory", "imaging", "pharmacy", "network", "aggregator"}, code)
	}
	return true
}

// Fault is one thing that keeps a bundle from being published.
type Fault struct {
	// Path is the element, such as "Bundle.entry[0].resource.name".
	Path string
	// Text says what is wrong.
	Text string
}

// judge gives the faults of a bundle in the order of its elements, by the
// profiles of the brands page. base is the FHIR base of this server, "" when the
// caller does not know it.
func judge(d draft, base string) []Fault {
	var out []Fault
	if text(d.root["type"]) != "collection" {
		out = append(out, Fault{"Bundle.type", "must be collection (BRD-02)"})
	}
	if len(d.entries) == 0 {
		out = append(out, Fault{"Bundle.entry", "needs an Organization and an Endpoint"})
	}
	seen := map[string]bool{}
	for i := range d.entries {
		e := &d.entries[i]
		switch {
		case e.typ != "Organization" && e.typ != "Endpoint":
			out = append(out, Fault{e.path, "must be an Organization or an Endpoint"})
			continue
		case e.id == "":
			out = append(out, Fault{e.path + ".id", "is needed, because others refer to it"})
			continue
		case seen[e.ref()]:
			out = append(out, Fault{e.path + ".id", "is used twice"})
		}
		seen[e.ref()] = true
		out = append(out, absences(e.resource, e.path)...)
		if e.typ == "Endpoint" {
			out = append(out, judgeEndpoint(e)...)
		} else {
			out = append(out, judgeBrand(e)...)
		}
	}
	out = append(out, judgeReferences(d, seen)...)
	out = append(out, judgeIdentifiers(d)...)
	return append(out, judgeBase(d, base)...)
}

// judgeBrand judges an Organization by itself.
func judgeBrand(e *entry) (out []Fault) {
	if text(e.resource["name"]) == "" {
		out = append(out, Fault{e.path + ".name", "is the name by which people know the brand and is needed"})
	}
	out = append(out, judgeWebsite(e)...)
	for i, v := range listOf(e.resource["type"]) {
		concept, _ := v.(resource)
		for j, c := range listOf(concept["coding"]) {
			coding, _ := c.(resource)
			if !isCategory(text(coding["system"]), text(coding["code"])) {
				at := e.path + ".type[" + strconv.Itoa(i) + "].coding[" + strconv.Itoa(j) + "].code"
				out = append(out, Fault{at, "is none of the categories of brands"})
			}
		}
	}
	for _, x := range extensions(e.resource, e.path, extBrand) {
		out = append(out, addresses(x, "valueUrl", "brandLogo", "brandLogoLicense", "brandBundle")...)
	}
	for _, x := range extensions(e.resource, e.path, extPortal) {
		out = append(out, addresses(x, "valueUrl", "portalUrl", "portalLogo", "portalLogoLicense")...)
	}
	return out
}

// judgeWebsite asks for one consumer-facing website, or the reason why there is
// none.
func judgeWebsite(e *entry) []Fault {
	for i, v := range listOf(e.resource["telecom"]) {
		contact, _ := v.(resource)
		if text(contact["system"]) != "url" {
			continue
		}
		if _, absent := contact["_value"]; absent && contact["value"] == nil {
			return nil
		}
		if !isWeb(text(contact["value"])) {
			return []Fault{{e.path + ".telecom[" + strconv.Itoa(i) + "].value", "must be an https URL"}}
		}
		return nil
	}
	return []Fault{{e.path + ".telecom", "needs the website of the brand: system url and an https value, or a data-absent-reason"}}
}

// judgeEndpoint judges an Endpoint by itself.
func judgeEndpoint(e *entry) (out []Fault) {
	if u, err := url.Parse(text(e.resource["address"])); err != nil || u.Host == "" || !isWebOrLocal(u) {
		out = append(out, Fault{e.path + ".address", "must be the https base URL of a FHIR server"})
	}
	kind, _ := e.resource["connectionType"].(resource)
	if text(kind["code"]) != "hl7-fhir-rest" || text(kind["system"]) != systemConnect {
		out = append(out, Fault{e.path + ".connectionType", "must be hl7-fhir-rest of " + systemConnect})
	}
	if len(extensions(e.resource, e.path, extFHIRVersion)) == 0 {
		out = append(out, Fault{e.path + ".extension", "needs the FHIR version: " + extFHIRVersion})
	}
	for i, v := range listOf(e.resource["contact"]) {
		contact, _ := v.(resource)
		if text(contact["system"]) != "url" {
			continue
		}
		if u, err := url.Parse(text(contact["value"])); err != nil || u.Host == "" || !isWebOrLocal(u) {
			out = append(out, Fault{e.path + ".contact[" + strconv.Itoa(i) + "].value", "must be an https URL"})
		}
		return out
	}
	return append(out, Fault{e.path + ".contact", "needs the website where developers register: system url and an https value"})
}

// judgeReferences asks that each reference leads to an entry, and that each
// endpoint has a brand (BRD-01).
func judgeReferences(d draft, known map[string]bool) (out []Fault) {
	used := map[string]bool{}
	for i := range d.entries {
		e := &d.entries[i]
		for _, r := range references(e) {
			switch {
			case !known[r.to] || r.typ != "" && !strings.HasPrefix(r.to, r.typ+"/"):
				out = append(out, Fault{r.path, "must refer to an " + r.typ + " of this bundle, such as " + r.typ + "/ID"})
			case e.typ == "Organization":
				used[r.to] = true
			}
		}
		if circular(d, e) {
			out = append(out, Fault{e.path + ".partOf", "leads back to itself"})
		}
	}
	for _, e := range d.entries {
		if e.typ == "Endpoint" && e.id != "" && !used[e.ref()] {
			out = append(out, Fault{e.path, "no brand refers to this endpoint (BRD-01)"})
		}
	}
	return out
}

type reference struct{ path, to, typ string }

// references are those between the entries of a bundle.
func references(e *entry) (out []reference) {
	add := func(path, typ string, v any) {
		if m, ok := v.(resource); ok {
			out = append(out, reference{path + ".reference", text(m["reference"]), typ})
		}
	}
	add(e.path+".partOf", "Organization", e.resource["partOf"])
	add(e.path+".managingOrganization", "Organization", e.resource["managingOrganization"])
	for i, v := range listOf(e.resource["endpoint"]) {
		add(e.path+".endpoint["+strconv.Itoa(i)+"]", "Endpoint", v)
	}
	for _, portal := range extensions(e.resource, e.path, extPortal) {
		for _, x := range extensions(portal.value, portal.path, "portalEndpoint") {
			add(x.path+".valueReference", "Endpoint", x.value["valueReference"])
		}
	}
	return out
}

// circular reports whether the brands above e lead back to it.
func circular(d draft, e *entry) bool {
	at, steps := e, 0
	for at != nil && steps <= len(d.entries) {
		parent, _ := at.resource["partOf"].(resource)
		to := text(parent["reference"])
		if to == e.ref() {
			return true
		}
		i := slices.IndexFunc(d.entries, func(x entry) bool { return x.ref() == to })
		if i < 0 {
			return false
		}
		at, steps = &d.entries[i], steps+1
	}
	return false
}

// judgeIdentifiers asks that an identifier names one brand only, and that it has
// a value: apps join the discovery document and the bundle by it (BRD-04).
func judgeIdentifiers(d draft) (out []Fault) {
	owner := map[Identifier]string{}
	for _, e := range d.entries {
		if e.typ != "Organization" {
			continue
		}
		if len(listOf(e.resource["identifier"])) == 0 && e.resource["partOf"] == nil {
			out = append(out, Fault{e.path + ".identifier", "is needed: system " + systemURL + " and the https URL of the brand's site"})
		}
		for i, v := range listOf(e.resource["identifier"]) {
			id, path := identifier(v), e.path+".identifier["+strconv.Itoa(i)+"]"
			switch {
			case id.Value == "":
				out = append(out, Fault{path + ".value", "is needed"})
			case owner[id] != "" && owner[id] != e.id:
				out = append(out, Fault{path, "names another brand of this bundle already (BRD-04)"})
			}
			owner[id] = e.id
		}
	}
	return out
}

func identifier(v any) Identifier {
	m, _ := v.(resource)
	return Identifier{System: text(m["system"]), Value: text(m["value"])}
}

// judgeBase asks that this server is among the endpoints, and that a primary
// brand stands above it.
func judgeBase(d draft, base string) []Fault {
	if base == "" {
		return nil
	}
	if endpointAt(d, base) < 0 {
		return []Fault{{"Bundle.entry", "no Endpoint has this server's own address " + base}}
	}
	return nil
}

func endpointAt(d draft, base string) int {
	return slices.IndexFunc(d.entries, func(e entry) bool {
		return e.typ == "Endpoint" && strings.TrimSuffix(text(e.resource["address"]), "/") == strings.TrimSuffix(base, "/")
	})
}

// primary gives the identifier of the brand of this server: the first brand with
// no other above it that refers to the endpoint of the base, else the first that
// has an identifier. A URL is preferred among several.
func primary(d draft, base string) Identifier {
	var own string
	if i := endpointAt(d, base); i >= 0 {
		own = d.entries[i].ref()
	}
	best := -1
	for i := range d.entries {
		e := &d.entries[i]
		if e.typ != "Organization" || len(listOf(e.resource["identifier"])) == 0 {
			continue
		}
		refers := slices.ContainsFunc(references(e), func(r reference) bool { return r.to == own })
		if best < 0 || refers && e.resource["partOf"] == nil {
			best = i
		}
		if refers && e.resource["partOf"] == nil {
			break
		}
	}
	if best < 0 {
		return Identifier{}
	}
	all := listOf(d.entries[best].resource["identifier"])
	for _, v := range all {
		if id := identifier(v); id.System == systemURL {
			return id
		}
	}
	return identifier(all[0])
}

// absences refuses every reason for absent data but the two that brands may have
// (BRD-06).
func absences(v any, path string) (out []Fault) {
	switch v := v.(type) {
	case resource:
		if text(v["url"]) == extAbsent && !slices.Contains([]string{"asked-declined", "asked-unknown"}, text(v["valueCode"])) {
			return []Fault{{path + ".valueCode", "must be asked-declined or asked-unknown (BRD-06)"}}
		}
		for _, name := range sorted(v) {
			out = append(out, absences(v[name], path+"."+name)...)
		}
	case []any:
		for i, item := range v {
			out = append(out, absences(item, path+"["+strconv.Itoa(i)+"]")...)
		}
	}
	return out
}

// addresses asks that the parts of an extension with these urls are https, or
// for logos also inline images.
func addresses(x extension, value string, urls ...string) (out []Fault) {
	for _, u := range urls {
		for _, part := range extensions(x.value, x.path, u) {
			s := text(part.value[value])
			if _, absent := part.value["_"+value]; absent && s == "" {
				continue
			}
			inline := strings.HasSuffix(u, "Logo") && strings.HasPrefix(s, "data:image/")
			if !isWeb(s) && !inline {
				out = append(out, Fault{part.path + "." + value, "must be an https URL"})
			}
		}
	}
	return out
}

func isWeb(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

// isWebOrLocal also takes http on this very machine, where a development server
// listens.
func isWebOrLocal(u *url.URL) bool {
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	return u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && local)
}
