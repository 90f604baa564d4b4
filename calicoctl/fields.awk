# SPDX-License-Identifier: BSD-2-Clause
# The comments of proto/v3_*.proto as a C table, for `calicoctl explain`: what stands above (or behind, on its line) a message or a field.
# Sections ("// ---- ...") and what stands above anything else are nobody's.
function flush_comment() { comment = "" }
function quote(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return s }
function emit(field) {
	if (comment != "") printf "\t{ \"%s\", \"%s\", \"%s\" },\n", path, field, quote(comment)
	flush_comment()
}
function trailing(line,   at) {
	at = index(line, "//")
	if (!at) return
	line = substr(line, at + 2)
	sub(/^[ \t]+/, "", line)
	comment = comment (comment == "" ? "" : " ") line
}
BEGIN {
	print "/* Made of proto/v3_*.proto by fields.awk. */"
	print "#include \"calicoctl/fields.h\"\n"
	print "const struct field_comment field_comments[] = {"
}
FNR == 1 { depth = 0; path = ""; flush_comment() }
/^[ \t]*\/\// {
	line = $0
	sub(/^[ \t]*\/\/ ?/, "", line)
	if (line ~ /^----/) flush_comment()
	else if (line == "") comment = comment "\\n"
	else if (line ~ /^ *[*-] /) comment = comment (comment == "" ? "" : "\n") line
	else comment = comment (comment == "" || comment ~ /\n$/ ? "" : " ") line
	next
}
/^[ \t]*(message|enum|oneof)[ \t]/ {
	name = $2
	sub(/\{.*/, "", name)
	if ($1 == "message") {
		stack[depth++] = path
		path = path (path == "" ? "v3." : ".") name
		trailing($0)
		emit("")
		if ($0 ~ /\}/) path = stack[--depth]
	} else {
		stack[depth++] = path
		flush_comment()
		if ($0 ~ /\}/) path = stack[--depth]
	}
	next
}
/^[ \t]*\}/ { if (depth > 0) path = stack[--depth]; flush_comment(); next }
/^[ \t]*((optional|repeated|required)[ \t]|map<)/ {
	line = $0
	code = line
	sub(/\/\/.*/, "", code)
	sub(/[ \t]*=.*/, "", code)
	n = split(code, words, /[ \t]+/)
	trailing(line)
	emit(words[n])
	next
}
{ flush_comment() }
END { print "\t{ 0, 0, 0 },\n};" }
