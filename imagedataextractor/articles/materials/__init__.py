"""What panels are made of, from the words of caption, title and abstract.

In: an article's words (`Words`) and its captions. Out: one `records.MaterialStatement` a panel, normalised, with the
span it came from and how sure that is; none where the words do not tell.
"""

from imagedataextractor.articles.materials.article import Words, figure_materials
from imagedataextractor.articles.materials.mentions import Mention, find_mentions

__all__ = ["Mention", "Words", "figure_materials", "find_mentions"]
