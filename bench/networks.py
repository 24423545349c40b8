"""Networks of docs/benchmarks.md with random weights, dense and pruned in one shot: networks.py FOLDER resnet50 mobilenetv1 vgg32.

Needs tf_keras: the folder that `npm run test:full -- keras` installs, as PYTHONPATH.
"""
import os,sys
os.environ["TF_CPP_MIN_LOG_LEVEL"]="3"
import numpy as np, tf_keras as keras
from tf_keras import layers as L
rng=np.random.default_rng(1)
def vgg():
    x=i=L.Input((32,32,3))
    for f,n in ((64,2),(128,2),(256,3),(512,3)):
        for _ in range(n):
            x=L.Conv2D(f,3,padding='same',use_bias=False)(x); x=L.BatchNormalization()(x); x=L.ReLU()(x)
        x=L.MaxPooling2D()(x)
    x=L.Flatten()(x); x=L.Dense(512,activation='relu')(x); x=L.Dense(10,activation='softmax')(x)
    return keras.Model(i,x,name='vgg32')
def oneby(l): return isinstance(l,L.Conv2D) and not isinstance(l,L.DepthwiseConv2D) and l.kernel_size==(1,1)
def conv(l): return isinstance(l,(L.Conv2D,L.Dense)) and not isinstance(l,L.DepthwiseConv2D)
NETS={'resnet50':(lambda: keras.applications.ResNet50(weights=None),lambda l: isinstance(l,L.Conv2D)),
 'vgg32':(vgg,conv),
 'mobilenetv1':(lambda: keras.applications.MobileNet(weights=None,input_shape=(224,224,3)),oneby)}
for name in sys.argv[2:]:
    make,pick=NETS[name]
    m=make()
    for l in m.layers:
        if isinstance(l,L.BatchNormalization):
            g,b,mu,v=l.get_weights()
            l.set_weights([g,b+rng.normal(0,.1,b.shape).astype('f'),mu,v*rng.uniform(.5,1.5,v.shape).astype('f')])
    m.save(f'{sys.argv[1]}/{name}.h5',include_optimizer=False)
    dense={l.name:l.get_weights() for l in m.layers}
    for s in (.75,.9):
        for l in m.layers:
            if pick(l):
                w=[a.copy() for a in dense[l.name]]
                k=np.abs(w[0]); t=np.partition(k.ravel(),int(k.size*s))[int(k.size*s)]
                w[0][k<t]=0; l.set_weights(w)
        m.save(f'{sys.argv[1]}/{name}-{s}.h5',include_optimizer=False)
    print(name,m.count_params(),flush=True)
