"""Where the vendor documents each Ascend C call that `to_ascend_c` may print.

Facts with their citation: names and page numbers of the public reference (CANN community edition
9.0.0 beta 1, "Ascend C API list", read in 2026). No text of the documentation is here.
"""

BASE = (
    "https://www.hiascend.com/document/detail/zh/CANNCommunityEdition/900beta1/API/ascendcopapi/"
    "atlasascendc_api_07_"
)
PAGES = {
    "Abs": "0027",
    "Add": "0035",
    "Adds": "0054",
    "AllocTensor": "0138",
    "Axpy": "0063",
    "Broadcast": "0853",
    "Cast": "0073",
    "Compare": "0066",
    "CrossCoreSetFlag": "0273",
    "CrossCoreWaitFlag": "0274",
    "DataCopy": "0101",
    "DataCopyPad": "0265",
    "DeQue": "0141",
    "DisableDmaAtomic": "0212",
    "Div": "0038",
    "DumpTensor": "0192",
    "Duplicate": "0088",
    "EnQue": "0140",
    "Exp": "0025",
    "Fixpipe": "0251",
    "FreeTensor": "0139",
    "Gather": "0092",
    "GlobalTensor": "0007",
    "LocalTensor": "0006",
    "GetBlockIdx": "0185",
    "GetBlockNum": "0184",
    "GetSubBlockIdx": "0281",
    "KernelType": "0218",
    "Ln": "0026",
    "LoadData": "0238",
    "LoadDataWithTranspose": "0239",
    "Max": "0039",
    "Maxs": "0056",
    "Min": "0040",
    "Mins": "0057",
    "Mmad": "0249",
    "Mul": "0037",
    "Muls": "0055",
    "PipeBarrier": "0271",
    "Reciprocal": "0028",
    "ReduceMax": "0076",
    "ReduceSum": "0078",
    "Relu": "0032",
    "Rsqrt": "0030",
    "Select": "0070",
    "SetAtomicAdd": "0210",
    "SetFlag": "0270",
    "Sqrt": "0029",
    "Sub": "0036",
    "SyncAll": "0204",
    "TBuf": "0160",
    "TPipe": "0108",
    "TQue": "0136",
    "TransDataTo5HD": "0200",
    "WaitFlag": "0270",
}


def page(call: str) -> str:
    """Return the address of a call's page."""
    return f"{BASE}{PAGES[call]}.html"
