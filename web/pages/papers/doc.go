// Package papers serves the pages on which people put in pictures of their papers,
// and on which the one who put a paper in, and staff who check it, read it again. It
// promises that a file is taken only behind its form's token, within its bounds and
// as what its bytes say it is, and that it leaves as a download that no browser runs.
//
// Neighbours: access/lifecycle keeps and gives the files; evidence says which are
// taken. It decides about nobody.
package papers
