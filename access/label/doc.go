// Package label reads the value sets by which access classifies resources that
// their source did not label: those that come with Mandate, for palliative care,
// and files that add to them, replace them or leave them out.
//
// A file is checked strictly, and everything wrong with all files is told at
// once. The package classifies nothing itself and knows no setting.
package label
