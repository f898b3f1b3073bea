// Command gen writes tables.tsv and search.tsv from the official FHIR R4 definitions: the
// unpacked npm package hl7.fhir.r4.examples@4.0.1 (CC0), whose folder is its
// first argument; the output files are the second and the third. SMART CMP-01 says why no other source will do.
package main
