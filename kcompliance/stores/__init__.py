"""Where archives lie: in a folder, in S3, in Azure Blob, in memory; behind one interface."""

from kcompliance.stores.interface import Store
from kcompliance.stores.open import SCHEMES, open_store
from kcompliance.stores.options import StoreOptions

__all__ = ["SCHEMES", "Store", "StoreOptions", "open_store"]
