// Package strictjson says whether a JSON text means one thing only, before
// somebody reads it.
//
// A member that is given twice is read as the first by some and as the last by
// others; so is one that is told from another by its case alone, which
// encoding/json does not. Such a text is refused whoever reads it, and so is one
// that is nested so deeply that reading it is work. FHIR resources have a reader
// of their own, fhir/view.
package strictjson
