"""What figures are called in the languages of articles, and scale bars in those of captions."""

from __future__ import annotations

__all__ = ["FIGURE_WORD", "LABEL_END", "SCALE_WORD"]

#: "Figure" before a number: English and its abbreviations first, then German, Russian, Bulgarian, Ukrainian, Czech,
#: Polish, Turkish, Finnish, Vietnamese, Greek, Chinese, Japanese, Korean, Persian and Arabic (no groups).
FIGURE_WORD = (
    r"(?:fig(?:ure|ura|uur|ur|\.)?|abb(?:ildung|\.)?|bild|рис(?:унок|\.)?|фиг(?:ура|\.)?|мал(?:юнок|\.)?|"
    r"obr(?:ázek|\.)?|rys(?:unek|\.)?|şekil|kuva|hình|εικόνα|[图圖図]|그림|شکل|شكل)"
)
#: What may not follow a label's number; letters of scripts that set no spaces may.
LABEL_END = r"(?![A-Za-z0-9_\u00c0-\u052f])"
#: "Scale bar" and, in some languages, "scale" (no groups).
SCALE_WORD = (
    r"(?:标尺|標尺|比例尺|スケール(?:バー)?|스케일\s?바|축척|масштаб(?:ная|ный|на|ни)?(?:\s+(?:линейк|отрез|метк|лінійк)[а-яі]+)?|"
    r"ma(?:ß|ss)stab(?:s?balken)?|balkenlänge|skalenbalken|barre\s+d['’]échelle|échelle|barra\s+d[ei]\s+(?:l[ao]\s+)?escala|"
    r"barra\s+de\s+escala|escala|barra\s+di\s+scala|skala|schaalbalk|mittajana|měřítko|podziałka|ölçek(?:\s+çubuğu)?)"
)
