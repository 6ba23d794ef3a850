"""Cases of the market feeds F, B, MD, I, C and of the status X."""

from __future__ import annotations

from tests.unit.venues.finery.cases import (
    CUT_TOP,
    DELETE,
    INSERT,
    SET,
    Case,
    begin,
    book,
    live,
    one,
)
from tests.unit.venues.finery.desk import UP, wanted

F = "book.tradable:BTC-EUR"
B = "book.global:BTC-USD"
MD = "book.viewonly:BTC-USD"

F_SNAPSHOT = (
    '["F","BTC-EUR","S",[[[6000000000000,150000000],[5999900000000,20000000]],'
    "[[6000100000000,80000000]]]]"
)
F_BIDS = [(INSERT, 6000000000000, 150000000), (INSERT, 5999900000000, 20000000)]
F_ASKS = [(INSERT, 6000100000000, 80000000)]

B_SNAPSHOT = (
    '["B","BTC-USD","S",[[[6000000000000,150000000]],[[6000100000000,80000000]]]]'
)
B_BIDS = [(INSERT, 6000000000000, 150000000)]
B_ASKS = [(INSERT, 6000100000000, 80000000)]

MD_SNAPSHOT = '["MD",{"instrument":"BTC-USD"},"S",[[[6000000000000,150000000]],[]]]'

I_SNAPSHOT = (
    '["I",0,"S",[[["USD",4725,1000000,100000000,"fiat"],'
    '["BTC",3714,1,6000000000000,"crypto"]],[["BTC-USD",4955410050,"BTC","USD"]]]]'
)
USD = ("USD", 4725, 1000000, 100000000, "fiat")
BTC = ("BTC", 3714, 1, 6000000000000, "crypto")
BTC_USD = ("BTC-USD", 4955410050, "BTC", "USD")


def f_update(data: str) -> str:
    """Return an update of the tradable book."""
    return f'["F","BTC-EUR","M",{data}]'


BOOKS = [
    Case(
        "3.3-F-S",
        (F,),
        (),
        F_SNAPSHOT,
        [book(F, "SNAPSHOT", F_BIDS, F_ASKS), live(F)],
    ),
    Case(
        "3.3-F-M-added",
        (F,),
        (F_SNAPSHOT,),
        f_update('[[["+",6000050000000,10000000]],[]]'),
        [book(F, "UPDATE", [(INSERT, 6000050000000, 10000000)], [])],
    ),
    Case(
        "3.3-F-M-both-sides",
        (F,),
        (F_SNAPSHOT,),
        f_update(
            '[[["M",5999900000000,30000000]],'
            '[["-",6000100000000,80000000],["+",6000200000000,5000000]]]'
        ),
        [
            book(
                F,
                "UPDATE",
                [(SET, 5999900000000, 30000000)],
                [(DELETE, 6000100000000, 80000000), (INSERT, 6000200000000, 5000000)],
            )
        ],
    ),
    Case(
        "3.3-F-M-cut",
        (F,),
        (F_SNAPSHOT,),
        f_update('[[["~",5999900000000,30000000]],[]]'),
        [book(F, "UPDATE", [(CUT_TOP, 5999900000000, 30000000)], [])],
    ),
    Case(
        "3.3-F-M-side-empty",
        (F,),
        (F_SNAPSHOT,),
        f_update('[[],[["~",0,0]]]'),
        [book(F, "UPDATE", [], [(CUT_TOP, 0, 0)])],
    ),
    Case(
        "3.2-F-M-cut-without-numbers-is-ignored",
        (F,),
        (F_SNAPSHOT,),
        f_update('[[["~"],["M",5999900000000,1]],[]]'),
        [book(F, "UPDATE", [(SET, 5999900000000, 1)], [])],
    ),
    Case(
        "3.2-F-M-delete-without-size",
        (F,),
        (F_SNAPSHOT,),
        f_update('[[["-",5999900000000]],[]]'),
        [book(F, "UPDATE", [(DELETE, 5999900000000, 0)], [])],
    ),
    Case(
        "0.3-F-M-extra-elements",
        (F,),
        (F_SNAPSHOT,),
        '["F","BTC-EUR","M",[[["M",5999900000000,1,7]],[],[]],"more"]',
        [book(F, "UPDATE", [(SET, 5999900000000, 1)], [])],
    ),
    Case(
        "0.3-F-S-extra-elements",
        (F,),
        (),
        '["F","BTC-EUR","S",[[[6000000000000,150000000,3]],[],7]]',
        [book(F, "SNAPSHOT", B_BIDS, []), live(F)],
    ),
    Case(
        "3.3-F-S-bound-by-number",
        (wanted(F, instrument_id=4955410050),),
        (),
        '["F",4955410050,"S",[[[6000000000000,150000000]],[]]]',
        [book(F, "SNAPSHOT", B_BIDS, []), live(F)],
    ),
    Case(
        "3.3-F-M-bound-by-number",
        (wanted(F, instrument_id=4955410050),),
        ('["F",4955410050,"S",[[[6000000000000,150000000]],[]]]',),
        '["F",4955410050,"M",[[["M",6000000000000,5]],[]]]',
        [book(F, "UPDATE", [(SET, 6000000000000, 5)], [])],
    ),
    Case(
        "3.3-F-S-master-object-echoed-in-any-order",
        (wanted(F, client_id=5),),
        (),
        '["F",{"clientId":5, "instrument":"BTC-EUR"},"S",'
        "[[],[[6000100000000,80000000]]]]",
        [book(F, "SNAPSHOT", [], B_ASKS), live(F)],
    ),
    Case(
        "2.3-F-S-master-object-echoed-as-name",
        (wanted(F, client_id=5),),
        (),
        F_SNAPSHOT,
        [book(F, "SNAPSHOT", F_BIDS, F_ASKS), live(F)],
    ),
    Case(
        "3.3-B-S",
        (B,),
        (),
        B_SNAPSHOT,
        [book(B, "SNAPSHOT", B_BIDS, B_ASKS), live(B)],
    ),
    Case(
        "3.3-B-S-new-era-repeated",
        (B,),
        (B_SNAPSHOT,),
        '["B","BTC-USD","S",[[],[[6000100000000,70000000]]]]',
        [book(B, "SNAPSHOT", [], [(INSERT, 6000100000000, 70000000)])],
    ),
    Case(
        "3.1-B-M-middle-era",
        (B,),
        (B_SNAPSHOT,),
        '["B","BTC-USD","M",[[],[["M",6000100000000,70000000]]]]',
        [book(B, "UPDATE", [], [(SET, 6000100000000, 70000000)])],
    ),
    Case(
        "4.10-MD-S",
        (MD,),
        (),
        MD_SNAPSHOT,
        [book(MD, "SNAPSHOT", B_BIDS, []), live(MD)],
    ),
    Case(
        "3.4-MD-S-makers-and-client",
        (wanted(MD, client_id=123, makers=[1, 2, 3]),),
        (),
        '["MD",{"clientId":123,"instrument":"BTC-USD","makers":[1,2,3]},"S",[[],[]]]',
        [book(MD, "SNAPSHOT", [], []), live(MD)],
    ),
    Case(
        "3.4-MD-M-as-feed-B",
        (MD,),
        (MD_SNAPSHOT,),
        '["MD",{"instrument":"BTC-USD"},"M",[[["-",6000000000000,150000000]],[]]]',
        [book(MD, "UPDATE", [(DELETE, 6000000000000, 150000000)], [])],
    ),
]

REFERENCE_DATA = [
    Case(
        "4.10-I-S",
        ("instruments",),
        (),
        I_SNAPSHOT,
        [
            begin("instruments"),
            begin("currencies"),
            one("currencies", "SNAPSHOT", "USD", *USD),
            one("currencies", "SNAPSHOT", "BTC", *BTC),
            one("instruments", "SNAPSHOT", "BTC-USD", *BTC_USD),
            live("instruments"),
            live("currencies"),
        ],
    ),
    Case(
        "3.5-I-S-old-currency-of-four",
        ("instruments",),
        (),
        '["I",0,"S",[[["BTC",3714,1,6000000000000]],[]]]',
        [
            begin("instruments"),
            begin("currencies"),
            one("currencies", "SNAPSHOT", "BTC", "BTC", 3714, 1, 6000000000000, None),
            live("instruments"),
            live("currencies"),
        ],
    ),
    Case(
        "5.2-I-S-with-networks",
        ("instruments",),
        (),
        '["I",0,"S",[[["USD",4725,1000000,100000000,"fiat",["SWIFT"]]],[],'
        '[["ERC20","Ethereum",3]]]]',
        [
            begin("instruments"),
            begin("currencies"),
            one("currencies", "SNAPSHOT", "USD", *USD),
            live("instruments"),
            live("currencies"),
        ],
    ),
    Case(
        "3.5-I-S-again-while-live",
        ("instruments",),
        (I_SNAPSHOT,),
        '["I",0,"S",[[],[]]]',
        [
            begin("instruments"),
            begin("currencies"),
            live("instruments"),
            live("currencies"),
        ],
    ),
    *(
        Case(
            f"3.5-C-{letter}",
            ("instruments",),
            (I_SNAPSHOT,),
            f'["C",0,"{letter}",["BTC",3714,1,6010000000000,"crypto"]]',
            [one("currencies", action, "BTC", "BTC", 3714, 1, 6010000000000, "crypto")],
        )
        for letter, action in (("+", "ADD"), ("M", "MODIFY"), ("-", "REMOVE"))
    ),
    *(
        Case(
            f"3.5-I-{letter}",
            ("instruments",),
            (I_SNAPSHOT,),
            f'["I",0,"{letter}",["ETH-USD",4955410051,"ETH","USD"]]',
            [
                one(
                    "instruments",
                    action,
                    "ETH-USD",
                    *("ETH-USD", 4955410051, "ETH", "USD"),
                )
            ],
        )
        for letter, action in (("+", "ADD"), ("M", "MODIFY"), ("-", "REMOVE"))
    ),
]

DOWN_TEXT = "2 (not connected: a service of the venue is down)"

STATUS = [
    Case(
        "1.8-X-0-again",
        (F,),
        (F_SNAPSHOT,),
        UP,
        [one("status:books-1", "UPDATE", "desk", 0, "ok", True)],
    ),
    Case(
        "1.8-X-down",
        (F,),
        (F_SNAPSHOT,),
        '["X",0,"Z",2]',
        [
            one(
                "status:books-1",
                "UPDATE",
                "desk",
                *(2, "not connected: a service of the venue is down", False),
            ),
            (
                F,
                "STALE",
                "VENUE_DOWN",
                "2 (not connected: a service of the venue is down)",
            ),
        ],
    ),
    Case(
        "2.3-X-down-as-array-with-unknown-code",
        (F,),
        (F_SNAPSHOT,),
        '["X",0,"Z",[999]]',
        [
            one("status:books-1", "UPDATE", "desk", 999, "not listed", False),
            (F, "STALE", "VENUE_DOWN", "999 (not listed)"),
        ],
    ),
]

CASES = BOOKS + REFERENCE_DATA + STATUS
