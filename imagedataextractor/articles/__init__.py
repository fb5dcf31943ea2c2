"""Articles: found and retrieved by DOI (`retrieve`), read from any format (`read`), their captions understood.

In: a DOI, an article file, a list of DOIs, a query. Out: one `records.Article` with its figures, what their captions
say, and where their pictures lie. The only room that knows the network.
"""
